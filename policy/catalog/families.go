package catalog

// Family is a group of rules by the letters their ids begin with.
type Family struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

// Families lists the families of the library, in the order of its documentation.
func Families() []Family {
	return []Family{
		{"ENC", "Encryption is required, agreed on and strong enough"},
		{"KEY", "Keys of KMS, and customers' own"},
		{"CTX", "Encryption context"},
		{"CPY", "Copies"},
		{"BKT", "Settings of buckets"},
		{"TLS", "The connection"},
		{"AUT", "Signatures"},
		{"PRE", "Presigned URLs and forms"},
		{"ACL", "Access control lists"},
		{"INT", "Integrity of what is written"},
		{"NET", "Networks"},
		{"RES", "Residency"},
		{"DEL", "Deleting"},
		{"MPU", "Multipart uploads"},
		{"BRK", "Break-glass"},
		{"GRT", "Grants"},
	}
}
