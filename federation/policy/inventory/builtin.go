package inventory

// Builtin returns an example for a jurisdiction whose law is built in (KAZ, KGZ, TJK, UZB), and nil for others. Like those
// laws it is a working text and no legal advice: an agency writes its own list. The slice is the caller's.
func Builtin(jurisdiction string) []Entry {
	const application = "application for a passport or an identity card"
	switch jurisdiction {
	case "KGZ":
		const law, article = "Law No. 136 of 14 July 2014 on Biometric Registration of Citizens", "Article 2"
		const source = "biometric registration of citizens"
		return []Entry{
			{"face", "sample", source, law, article, Unlimited},
			{"finger", "template", source, law, article, Unlimited},
			{"signature", "sample", source, law, article, Unlimited},
		}
	case "KAZ":
		const law, article = "Law No. 73-V of 29 January 2013 on Identity Documents", "article on documents with biometric data (number to be confirmed)"
		return []Entry{
			{"face", "sample", application, law, article, "P10Y"},
			{"finger", "template", application, "Law No. 40-VI of 30 December 2016 on Fingerprint and Genomic Registration",
				"article on fingerprint registration (number to be confirmed)", Unlimited},
			{"signature", "sample", application, law, article, "P10Y"},
		}
	case "TJK":
		const law, article = "Law No. 1537 of 3 August 2018 on Protection of Personal Data", "article on biometric personal data (number to be confirmed)"
		return []Entry{
			{"face", "sample", application, law, article, "P10Y"},
			{"finger", "template", application, law, article, "P10Y"},
		}
	case "UZB":
		const law, article = "Law No. ZRU-547 of 2 July 2019 on Personal Data", "Article 26"
		return []Entry{
			{"face", "sample", application, law, article, "P10Y"},
			{"finger", "template", application, law, article, "P10Y"},
			{"iris", "template", "voluntary enrolment at a centre of state services", law, article, "P10Y"},
		}
	}
	return nil
}
