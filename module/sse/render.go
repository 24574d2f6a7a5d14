package sse

import (
	"bytes"
	"encoding/xml"
	"strconv"
)

// BucketEncryptionXML renders the body of PutBucketEncryption for a bucket
// whose default is s, in place of one that a client sent. blocked is
// [Document.Blocked] of that one and is left out if empty. It returns nil for a
// mode that no bucket can have as its default.
func BucketEncryptionXML(s Setting, blocked []string) []byte {
	value := s.Mode.value()
	if value == "" {
		return nil
	}
	var b bytes.Buffer
	b.WriteString(xml.Header)
	b.WriteString(`<ServerSideEncryptionConfiguration xmlns="` + namespace + `"><Rule>`)
	b.WriteString(`<ApplyServerSideEncryptionByDefault>`)
	writeText(&b, "SSEAlgorithm", value)
	if s.KeyID != "" && s.Mode.usesKMS() {
		writeText(&b, "KMSMasterKeyID", s.KeyID)
	}
	b.WriteString(`</ApplyServerSideEncryptionByDefault>`)
	if s.BucketKey != nil && s.Mode == KMS {
		writeText(&b, "BucketKeyEnabled", strconv.FormatBool(*s.BucketKey))
	}
	if len(blocked) > 0 {
		b.WriteString(`<BlockedEncryptionTypes>`)
		for _, kind := range blocked {
			writeText(&b, "EncryptionType", kind)
		}
		b.WriteString(`</BlockedEncryptionTypes>`)
	}
	b.WriteString(`</Rule></ServerSideEncryptionConfiguration>`)
	return b.Bytes()
}

func writeText(b *bytes.Buffer, name, text string) {
	b.WriteString("<" + name + ">")
	_ = xml.EscapeText(b, []byte(text)) // a bytes.Buffer takes everything
	b.WriteString("</" + name + ">")
}
