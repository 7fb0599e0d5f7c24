package synth

import (
	"fmt"
	"strings"
)

// Sizes of the number spaces; both hold MaxPersons.
const (
	nationalNumbers = 10_000_000_000
	passportNumbers = 20 * 30 * 30 * 30 * 30 * 30
)

// nationalNumber writes SYN, the jurisdiction and ten digits. The four countries' numbers (IIN,
// PIN, INN, PINFL) are all digits.
func nationalNumber(jurisdiction string, n uint64) string {
	return fmt.Sprintf("SYN%s%010d", jurisdiction, n)
}

// Letters and digits that are hard to mistake for one another; the first twenty are letters.
const passportAlphabet = "ABCDEFGHJKLMNPRTUVWX0123456789"

// passportNumber writes SYN, one letter and five letters or digits. Four leading letters fit no
// series of the four countries, which use at most two.
func passportNumber(n uint64) string {
	b := []byte("SYN......")
	for i := len(b) - 1; i > 3; i-- {
		b[i] = passportAlphabet[n%30]
		n /= 30
	}
	b[3] = passportAlphabet[n]
	return string(b)
}

// vocabulary is the syllables of invented names: they sound of the region and mean nothing.
type vocabulary struct {
	heads, middles       []string
	tailsF, tailsM       []string
	familyTailF, familyM []string
}

func vocabularyOf(jurisdiction string) vocabulary {
	switch jurisdiction {
	case "KAZ":
		return vocabulary{
			heads:   []string{"Ayzu", "Zhanqo", "Beksa", "Dauke", "Elzha", "Qazyr", "Nurtu", "Orazbi"},
			middles: []string{"dara", "bola", "tory", "meli", "sanu", "goza"},
			tailsF:  []string{"gulzet", "shyma", "nelat"}, tailsM: []string{"bekur", "zhanor", "quldas"},
			familyTailF: []string{"ayeva", "ulova", "qyzy"}, familyM: []string{"ayev", "ulov", "uly"},
		}
	case "KGZ":
		return vocabulary{
			heads:   []string{"Aidoo", "Beroo", "Chyngu", "Emilbo", "Jyldo", "Kubaty", "Nazgy", "Tynay"},
			middles: []string{"kara", "belu", "suyu", "talo", "myrsa", "dogo"},
			tailsF:  []string{"kanysh", "perit", "guloom"}, tailsM: []string{"bekoosh", "sultyn", "kuloom"},
			familyTailF: []string{"bekova", "aliyeva", "kyzy"}, familyM: []string{"bekov", "aliyev", "uulu"},
		}
	case "TJK":
		return vocabulary{
			heads:   []string{"Farzu", "Khursho", "Mehra", "Parvo", "Rustu", "Shirna", "Zarvi", "Daleru"},
			middles: []string{"mando", "nigo", "shodi", "bakhu", "ruzo", "lolu"},
			tailsF:  []string{"banuz", "moheen", "gulafz"}, tailsM: []string{"shohur", "jonbek", "dodfar"},
			familyTailF: []string{"zoda", "iyonova", "pur"}, familyM: []string{"zoda", "iyon", "pur"},
		}
	case "UZB":
		return vocabulary{
			heads:   []string{"Oybu", "Jahonu", "Dilzo", "Sardu", "Nodiru", "Ulugzo", "Shahno", "Botiru"},
			middles: []string{"fara", "rovshi", "tola", "zebo", "murqo", "lazi"},
			tailsF:  []string{"xonuz", "oyimla", "gulniz"}, tailsM: []string{"jonqul", "bekzor", "mirtosh"},
			familyTailF: []string{"jonova", "boyeva", "qizi"}, familyM: []string{"jonov", "boyev", "ogli"},
		}
	}
	return mixedVocabulary()
}

// mixedVocabulary joins the words of all lists, for jurisdictions without one.
func mixedVocabulary() vocabulary {
	var m vocabulary
	for _, j := range Jurisdictions() {
		v := vocabularyOf(j)
		m.heads = append(m.heads, v.heads...)
		m.middles = append(m.middles, v.middles...)
		m.tailsF = append(m.tailsF, v.tailsF...)
		m.tailsM = append(m.tailsM, v.tailsM...)
		m.familyTailF = append(m.familyTailF, v.familyTailF...)
		m.familyM = append(m.familyM, v.familyM...)
	}
	return m
}

// names invents a given name and a family name. Given names have at least ten letters, so that
// one found in an output did not get there by chance.
func names(s *stream, jurisdiction, sex string) (given, family string) {
	v := vocabularyOf(jurisdiction)
	tails, familyTails := v.tailsF, v.familyTailF
	if sex == "M" {
		tails, familyTails = v.tailsM, v.familyM
	}
	given = pick(s, v.heads) + pick(s, v.middles) + pick(s, tails)
	family = "Synth" + strings.ToLower(pick(s, v.heads)) + pick(s, v.middles) + pick(s, familyTails)
	return given, family
}

func pick(s *stream, words []string) string { return words[s.below(len(words))] }

// date gives a day of one of some years from the first on; days end at 28, so all exist.
func date(s *stream, first, years int) string {
	return fmt.Sprintf("%04d-%02d-%02d", s.between(first, first+years-1), s.between(1, 12), s.between(1, 28))
}
