package storebench

// Row is one store at one number of workers.
type Row struct {
	What      string  `json:"what"` // enrolments or look-ups
	Store     string  `json:"store"`
	Workers   int     `json:"workers"`
	PerSecond float64 `json:"per_second"` // median of the rounds
	P50MS     float64 `json:"p50_ms"`
	P99MS     float64 `json:"p99_ms"`
	CPUMicros float64 `json:"cpu_us"`          // processor time of one, all threads and servers
	Ratio     float64 `json:"ratio,omitempty"` // how many times as fast as this store the gallery is
}

// Filling is how the subjects got in.
type Filling struct {
	Store     string  `json:"store"`
	PerSecond float64 `json:"per_second"`
	CPUMicros float64 `json:"cpu_us"` // of one subject
}

// Start is one opening of the gallery.
type Start struct {
	How       string  `json:"how"`
	Seconds   float64 `json:"seconds"`
	CPU       float64 `json:"cpu_s"`
	Resident  int64   `json:"resident"`
	Anonymous int64   `json:"anonymous"`
}

// Memory is what the gallery's process held.
type Memory struct {
	When      string `json:"when"`
	Resident  int64  `json:"resident"`  // mapped files included
	Anonymous int64  `json:"anonymous"` // held by no file
	Peak      int64  `json:"peak"`
}

// Report is what was measured.
type Report struct {
	Subjects    int       `json:"subjects"`
	SubjectSize int       `json:"subject_bytes"` // keys and values of one, as stored
	Folder      int64     `json:"folder_bytes"`  // of the gallery, on disk
	Fillings    []Filling `json:"fillings"`
	Starts      []Start   `json:"starts"`
	Memory      []Memory  `json:"memory"`
	Rows        []Row     `json:"rows"`
	Notes       []string  `json:"notes,omitempty"` // stores that were not measured, and why
}
