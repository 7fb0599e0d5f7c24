package custody_test

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/tamga-id/tamga/crypto/custody"
)

// TestReadDuringReplacement reads a file over and over while it is replaced and the old
// one overwritten: what is read is one or the other.
func TestReadDuringReplacement(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keystore.json")
	contents := [][]byte{bytes.Repeat([]byte("a"), 200_000), bytes.Repeat([]byte("b"), 200_000)}
	if err := os.WriteFile(path, contents[0], 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				b, err := custody.ReadFile(path)
				if err != nil || !bytes.Equal(b, contents[0]) && !bytes.Equal(b, contents[1]) {
					t.Errorf("read neither of the two, %v", err)
					return
				}
			}
		})
	}
	for i := range 200 {
		if err := custody.ReplaceFile(path, contents[i%2]); err != nil {
			t.Error(err)
		}
	}
	close(done)
	readers.Wait()
}
