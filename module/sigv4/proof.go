package sigv4

import (
	"fmt"
	"log/slog"
)

// Proof is what a successful check leaves behind: the claim that was found
// true, and what is needed to check the body that follows. The zero Proof is
// that of an anonymous request. A Proof is immutable and safe for concurrent
// use; it prints without its key.
type Proof struct {
	Claim

	key     []byte // derived signing key (32 bytes), read only: copies of the Proof share it
	scope   string // 20130524/us-east-1/s3/aws4_request
	amzDate string // 20130524T000000Z, the date in the string to sign
	seed    string // signature of the request in lower-case hex, the first link of a chunk chain
}

// Format writes who proved what and never the key, whatever the verb.
func (p Proof) Format(f fmt.State, _ rune) {
	if p.Kind == Anonymous {
		fmt.Fprint(f, "anonymous")
		return
	}
	fmt.Fprintf(f, "%v %s", p.Kind, p.Credential.AccessKey)
}

// LogValue shows who proved what and never the key.
func (p Proof) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(p)) }
