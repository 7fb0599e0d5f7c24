package gallery_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// TestRedaction prints everything that holds a person's data, or keys, in every way
// that package fmt and slog know.
func TestRedaction(t *testing.T) {
	g := openGallery(t, newDir(t))
	e := person(0)
	enrol(t, g, e)
	refs, err := g.References(e.Subject, "finger")
	if err != nil {
		t.Fatal(err)
	}
	defer refs.Close()
	p := pseudonymBytes(t, testPseudonyms(t, 2), 0)
	secrets := []string{string(e.Templates[1].Data[:8]), string(p[:4]), people.Person(0).PassportNumber}
	for _, b := range [][]byte{e.Templates[1].Data[20:28], p[:8]} {
		secrets = append(secrets, hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b)),
			strings.Trim(fmt.Sprintf("%d", b), "[]"), strings.Trim(fmt.Sprintf("%#v", b), "[]byte{}"))
	}
	values := map[string]any{
		"enrolment": e, "enrolments": persons(0, 1), "enrolment-pointer": &e,
		"template": e.Templates[1], "templates": e.Templates, "template-pointer": &e.Templates[1],
		"references": refs, "references-pointer": &refs,
		"gallery": g,
	}
	for name, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			expectRedacted(t, name+" "+verb, fmt.Sprintf(verb, v), secrets)
		}
		var b bytes.Buffer
		slog.New(slog.NewTextHandler(&b, nil)).Info("x", slog.Any("v", v))
		expectRedacted(t, name+" text log", b.String(), secrets)
	}
}

func expectRedacted(t *testing.T, how, printed string, secrets []string) {
	t.Helper()
	for _, s := range secrets {
		if strings.Contains(printed, s) {
			t.Errorf("%s: prints a secret: %.60q", how, printed)
			return
		}
	}
	if !strings.Contains(printed, "redacted") && !strings.Contains(printed, hex.EncodeToString([]byte("redacted"))) {
		t.Errorf("%s: %.60q", how, printed)
	}
}
