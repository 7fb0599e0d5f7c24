// Package held shows what biometric data a country says that it holds.
package held

// Entry is one entry of a list of biometric data.
type Entry struct {
	Type      string `json:"type"`
	Form      string `json:"form"`
	Source    string `json:"source"`
	Law       string `json:"law"`
	Article   string `json:"article"`
	Retention string `json:"retention"`
}

// Words is the entry on one line.
func (v Entry) Words() string {
	return v.Type + " (" + v.Form + "), " + v.Source + "; " + v.Article + " of " + v.Law + "; held " + v.Retention
}
