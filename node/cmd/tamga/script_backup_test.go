package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/rogpeppe/go-internal/testscript"
)

// ageIdentities: identity A B writes age identities to A and B, their recipients to A.pub
// and B.pub, and both recipients to the file recipients.
func ageIdentities(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: identity A B")
	}
	both := ""
	for _, name := range args {
		id, err := age.GenerateX25519Identity()
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(id.String()+"\n"), 0o600))
		ts.Check(os.WriteFile(ts.MkAbs(name+".pub"), []byte(id.Recipient().String()+"\n"), 0o600))
		both += id.Recipient().String() + "\n"
	}
	ts.Check(os.WriteFile(ts.MkAbs("recipients"), []byte(both), 0o600))
}

// flip: flip FROM TO OFFSET copies a file and flips one bit of it.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: flip FROM TO OFFSET")
	}
	b, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	at, err := strconv.Atoi(args[2])
	ts.Check(err)
	b[at] ^= 4
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b, 0o600))
}

// spoil: spoil GLOB OFFSET flips one bit of the largest file that matches.
func spoil(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: spoil GLOB OFFSET")
	}
	paths, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	var path string
	var largest int64 = -1
	for _, p := range paths {
		info, err := os.Stat(p)
		ts.Check(err)
		if info.Size() > largest {
			path, largest = p, info.Size()
		}
	}
	flip(ts, false, []string{path, path, args[1]})
}

// appendFile: append TO FROM appends the content of a file.
func appendFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: append TO FROM")
	}
	b, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), append(b, ts.ReadFile(args[1])...), 0o600))
}

// tree: tree FROM TO puts a copy of the folder FROM in the place of TO.
func tree(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: tree FROM TO")
	}
	ts.Check(os.RemoveAll(ts.MkAbs(args[1])))
	ts.Check(os.CopyFS(ts.MkAbs(args[1]), os.DirFS(ts.MkAbs(args[0]))))
}

// live: live DIR waits until the node in DIR answers.
func live(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: live DIR")
	}
	deadline := time.Now().Add(60 * time.Second)
	for {
		c := exec.Command("tamga", "status", "--dir", ts.MkAbs(args[0]))
		c.Env = []string{"PATH=" + ts.Getenv("PATH")}
		out, err := c.CombinedOutput()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s does not answer: %s", args[0], out)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// shown: shown DIR ORIGIN SIZE waits until the node in DIR remembers that checkpoint.
func shown(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: shown DIR ORIGIN SIZE")
	}
	deadline := time.Now().Add(60 * time.Second)
	for {
		b, _ := os.ReadFile(filepath.Join(ts.MkAbs(args[0]), "data", "peer-checkpoints.json"))
		if strings.Contains(string(b), args[1]+`\n`+args[2]+`\n`) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s was not shown %s at %s: %s", args[0], args[1], args[2], b)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
