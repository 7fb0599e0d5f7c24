// Command peers drives stores of other makers for tamga bench store, which writes this
// module into a temporary folder and builds it there: what they depend on is none of a
// node's business.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"peers/drive"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run takes the kind of store, its folder, how many subjects it holds and what one is.
func run(ctx context.Context, args []string) error {
	if len(args) != 4 {
		return errors.New("four arguments are needed")
	}
	held, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	var spec drive.Spec
	if err := json.Unmarshal([]byte(args[3]), &spec); err != nil {
		return err
	}
	start := time.Now()
	o := drive.Opened{Held: held}
	switch args[0] {
	case "pebble":
		o.Store, o.Version, err = openPebble(args[1], spec)
	case "postgresql":
		o.Store, o.Version, err = openPostgres(ctx, args[1], spec)
	default:
		err = fmt.Errorf("unknown kind %q", args[0])
	}
	if err != nil {
		return err
	}
	o.Took = time.Since(start)
	return drive.Serve(ctx, os.Stdin, os.Stdout, o)
}

// version is that of a module this program was built with.
func version(of string) string {
	for _, m := range modules() {
		if m.Path == of {
			return m.Version
		}
	}
	return "of unknown version"
}
