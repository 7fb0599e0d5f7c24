package drive

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Usage is what processes have used: proc(5), and zero where that is not.
type Usage struct {
	CPU       float64 `json:"cpu"`       // seconds of processor time, those of waited-for children included
	Resident  int64   `json:"resident"`  // bytes in memory, mapped files included
	Anonymous int64   `json:"anonymous"` // of them those that no file holds
	Peak      int64   `json:"peak"`      // the most that Resident was
}

// ticks is USER_HZ, which the kernel fixes at 100 for proc(5) on all architectures that
// Go runs on.
const ticks = 100

// OwnUsage is what this process has used.
func OwnUsage() Usage { return UsageOf(os.Getpid()) }

// UsageOf is what a process has used.
func UsageOf(pid int) Usage {
	var u Usage
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u
	}
	// The name, in brackets, may hold anything; utime is the 12th field behind it.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) > 14 {
		for _, f := range fields[11:15] {
			n, _ := strconv.ParseFloat(string(f), 64)
			u.CPU += n / ticks
		}
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		kB, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch name {
		case "VmRSS":
			u.Resident = kB << 10
		case "RssAnon":
			u.Anonymous = kB << 10
		case "VmHWM":
			u.Peak = kB << 10
		}
	}
	return u
}

// UsageWithPostgres is what this process and those of a PostgreSQL server have used
// together. Memory that those share is counted in each of them, so it is left out.
func UsageWithPostgres(data string) Usage {
	u := Usage{CPU: OwnUsage().CPU}
	pidFile, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return u
	}
	line, _, _ := bytes.Cut(pidFile, []byte("\n"))
	server, err := strconv.Atoi(string(line))
	if err != nil {
		return u
	}
	u.CPU += UsageOf(server).CPU
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", server, server))
	for field := range strings.FieldsSeq(string(children)) {
		if child, err := strconv.Atoi(field); err == nil {
			u.CPU += UsageOf(child).CPU
		}
	}
	return u
}
