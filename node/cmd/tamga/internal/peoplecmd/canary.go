package peoplecmd

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node/alarms"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/nodeclient"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/person"
	"github.com/tamga-id/tamga/node/comparison"
	"github.com/tamga-id/tamga/node/enrol"
	"github.com/tamga-id/tamga/node/gallery"
)

// Canary is `tamga canary`.
func Canary(a *cli.App) *cobra.Command {
	c := &cobra.Command{
		Use:   "canary",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
		Short: "Seed invented people, about whom any question raises an alarm",
		Long: `A canary is enrolled like anybody and exists nowhere else, so nobody has a reason to ask about
it. A Query that does raises an alarm that names the requester and the officer's pseudonym, which
the requester can resolve; it is answered like any other. The alarm is in the node's log, in
tamga canary alarms, and counted in tamga status and at /metrics.`,
		Example: `  tamga canary seed --dir kgz --like KGZ:passport:AC####### --count 20`,
	}
	c.AddCommand(canarySeed(a), canaryList(a), canaryAlarms(a))
	return c
}

// canaries is the API's report.
type canaries struct {
	Canaries []struct {
		Subject struct {
			Jurisdiction string `json:"jurisdiction"`
			Type         string `json:"type"`
			Value        string `json:"value"`
		} `json:"subject"`
		Since time.Time `json:"since"`
	} `json:"canaries"`
}

func (r canaries) rows() [][2]string {
	rows := make([][2]string, 0, len(r.Canaries))
	for _, c := range r.Canaries {
		rows = append(rows, [2]string{c.Subject.Jurisdiction + ":" + c.Subject.Type + ":" + c.Subject.Value, c.Since.Format(time.RFC3339)})
	}
	return rows
}

func canarySeed(a *cli.App) *cobra.Command {
	var n nodeclient.Flags
	var like string
	var count int
	c := &cobra.Command{
		Use:   "seed",
		Short: "Enrol invented people as canaries",
		Long: `Enrols invented people, each with a face of a synthetic person, under numbers made after --like,
in which every # is a random digit, and makes them canaries. Give the form that real numbers
have, in a part of it that is not issued: a number that is somebody's is refused.`,
		Example: `  tamga canary seed --dir kgz --like KGZ:passport:AC####### --count 20`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if !strings.Contains(like, "#") || count < 1 || count > 1000 {
				return fault.Usage("--like with a # for each random digit, and a --count of 1 to 1000, are needed")
			}
			people, err := inventPeople(a, like, count)
			if err != nil {
				return err
			}
			cl, err := n.Client()
			if err != nil {
				return err
			}
			var own struct {
				Jurisdiction string `json:"jurisdiction"`
			}
			if err := cl.Call(c.Context(), http.MethodGet, "/v1/status", "", nil, &own); err != nil {
				return err
			}
			if people[0].Subject.Jurisdiction != own.Jurisdiction {
				return fault.Usage("--like is of another country than the node, %s: no Query about it would come here, and no alarm", own.Jurisdiction)
			}
			var out canaries
			for _, e := range people {
				if err := seedOne(c.Context(), cl, e, &out); err != nil {
					return err
				}
			}
			return a.Emit(map[string]any{"seeded": count, "canaries": len(out.Canaries)}, [][2]string{{"seeded", fmt.Sprint(count)}, {"canaries", fmt.Sprint(len(out.Canaries))}})
		},
	}
	n.Operator = true
	n.Add(c.Flags())
	c.Flags().StringVar(&like, "like", "", "COUNTRY:TYPE:VALUE with # for random digits (required)")
	c.Flags().IntVar(&count, "count", 1, "how many")
	return c
}

// caller calls the running node. nodeclient.Client does.
type caller interface {
	CallWith(ctx context.Context, method, path, contentType string, header http.Header, body []byte, out any) error
}

// seedOne makes an invented person a canary and then enrols it, so that whatever cuts this off leaves
// nobody enrolled without an alarm: a canary that is not enrolled is answered as unknown, and raises its
// alarm. It fails before that when the number is somebody's already, whose record is left as it is: an
// invented face in it would be one that matches.
func seedOne(ctx context.Context, cl caller, e gallery.Enrolment, out *canaries) error {
	var line bytes.Buffer
	if err := json.NewEncoder(&line).Encode(enrol.RecordOf(e)); err != nil {
		return fmt.Errorf("encoding record: %w", err)
	}
	enrolled := func(dry string) error {
		var report struct {
			Created int `json:"created"`
		}
		header := http.Header{"Tamga-Duplicates": {"skip"}, "Tamga-Dry-Run": {dry}}
		if err := cl.CallWith(ctx, http.MethodPost, "/v1/enrolments", "application/x-ndjson", header, line.Bytes(), &report); err != nil {
			return err
		}
		if report.Created != 1 {
			return fault.Unfit("give another --like, of numbers that are not issued; those seeded before are canaries", "somebody has one of the numbers")
		}
		return nil
	}
	if err := enrolled("true"); err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{"subjects": []map[string]string{{"jurisdiction": e.Subject.Jurisdiction, "type": e.Subject.Type, "value": e.Subject.Value}}})
	if err != nil {
		return fmt.Errorf("encoding request: %w", err)
	}
	if err := cl.CallWith(ctx, http.MethodPost, "/v1/canaries", "application/json", nil, body, out); err != nil {
		return err
	}
	return enrolled("false")
}

// inventPeople makes enrolments of synthetic faces under made-up numbers.
func inventPeople(a *cli.App, like string, count int) ([]gallery.Enrolment, error) {
	var out []gallery.Enrolment
	used := map[pseudonym.Identifier]bool{}
	for tries := 0; len(out) < count; tries++ {
		if tries > 10*count {
			return nil, fault.Usage("--like has room for fewer different numbers than --count")
		}
		id, err := person.Subject(a, digits(like))
		if err != nil {
			return nil, err
		}
		if used[id] {
			continue
		}
		used[id] = true
		p := synth.New(random(1<<62), "KGZ").Person(int(random(1 << 20)))
		out = append(out, gallery.Enrolment{Subject: id, Templates: []gallery.Template{{Modality: comparison.ModalityFace, Format: exchange.FormatEmbedding, Data: p.FaceReference()}}})
	}
	return out, nil
}

func digits(like string) string {
	return strings.Map(func(r rune) rune {
		if r == '#' {
			return '0' + rune(random(10))
		}
		return r
	}, like)
}

// random is uniform below n.
func random(n int64) uint64 {
	v, err := rand.Int(rand.Reader, big.NewInt(n))
	if err != nil {
		panic("tamga: no randomness: " + err.Error())
	}
	return v.Uint64()
}

func canaryList(a *cli.App) *cobra.Command {
	var n nodeclient.Flags
	c := &cobra.Command{
		Use:   "list",
		Short: "List the canaries of a running node",
		Long: `Lists the numbers of the canaries. Keep them from everybody who may ask: who knows them goes
around them. tamga canary alarms lists who asked about one; every Query is in the ledger.`,
		Example: `  tamga canary list --dir kgz`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := n.Client()
			if err != nil {
				return err
			}
			var out canaries
			if err := cl.Call(c.Context(), http.MethodGet, "/v1/canaries", "", nil, &out); err != nil {
				return err
			}
			return a.Emit(out, out.rows())
		},
	}
	n.Operator = true
	n.Add(c.Flags())
	return c
}

// alarmsReport is the API's.
type alarmsReport struct {
	Alarms []alarms.Alarm `json:"alarms"`
}

func (r alarmsReport) rows() [][2]string {
	if len(r.Alarms) == 0 {
		return [][2]string{{"alarms", "none"}}
	}
	rows := make([][2]string, 0, len(r.Alarms))
	for _, a := range r.Alarms {
		rows = append(rows, [2]string{a.At.Format(time.RFC3339), fmt.Sprintf("%s: %s, officer %s, %s, query %s", a.Kind, a.Requester, a.Officer, a.Purpose, a.Query)})
	}
	return rows
}

func canaryAlarms(a *cli.App) *cobra.Command {
	var n nodeclient.Flags
	c := &cobra.Command{
		Use:   "alarms",
		Short: "List the alarms that others' questions raised",
		Long: `Lists who asked about a canary, and who missed so often that somebody was locked for him: when,
the requester, the officer's pseudonym, the purpose, and the Query's hash, by which both ledgers
have it. Never about whom. The newest 2,000 are kept, of all nodes that share the store.`,
		Example: `  tamga canary alarms --dir kgz`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := n.Client()
			if err != nil {
				return err
			}
			var out alarmsReport
			if err := cl.Call(c.Context(), http.MethodGet, "/v1/alarms", "", nil, &out); err != nil {
				return err
			}
			return a.Emit(out, out.rows())
		},
	}
	n.Operator = true
	n.Add(c.Flags())
	return c
}
