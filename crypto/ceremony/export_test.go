package ceremony

// ShareValue shows the secret, for redaction tests.
func ShareValue(s Share) []byte { return s.open().Value }
