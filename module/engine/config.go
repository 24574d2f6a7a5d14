package engine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/sealgate/sealgate/module/clients"
	"github.com/sealgate/sealgate/module/keyring"
	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/sigv4"
	"github.com/sealgate/sealgate/module/upstream"
	"github.com/sealgate/sealgate/policy"
)

// Verify says how much the store must confirm of the encryption decided.
type Verify string

const (
	// VerifyRequired refuses a write whose encryption the store does not
	// confirm, in its reply or when asked by HEAD.
	VerifyRequired Verify = "required"
	// VerifyIfReported checks what the store reports and tolerates silence.
	VerifyIfReported Verify = "if_reported"
	// VerifyOff does not look at the store's reply.
	VerifyOff Verify = "off"
)

// PayloadCheck says who checks a hash or checksum that is forwarded unchanged.
type PayloadCheck string

const (
	// PayloadCheckGateway verifies every hash and checksum here.
	PayloadCheckGateway PayloadCheck = "gateway"
	// PayloadCheckStore leaves a payload hash, Content-MD5 or checksum header
	// that is forwarded unchanged to the store. Chunk signatures and trailers
	// are always verified here.
	PayloadCheckStore PayloadCheck = "store"
)

// RecordInput says which decision records hold the input document that policy
// was asked about. It is what a decision can be explained from, and it shows
// what records otherwise leave out: user metadata, tags, and the values of an
// encryption context. It never holds a key, a signature or a token.
type RecordInput string

const (
	// RecordInputDenied has it in the records of requests that were denied or
	// could not be decided.
	RecordInputDenied RecordInput = "denied"
	// RecordInputAll has it in the record of every request that was decided.
	RecordInputAll RecordInput = "all"
	// RecordInputNone has it in no record.
	RecordInputNone RecordInput = "none"
)

// ClientSource finds the client that owns an access key.
// *clients.Store implements it.
type ClientSource interface {
	Lookup(accessKey string, now time.Time) (clients.Client, error)
}

// Recorder takes the decision record of a finished request. It must not block
// and must not keep the record's maps or slices beyond the call.
type Recorder interface {
	Record(ctx context.Context, r *Record)
}

// Observer takes measurements. Its methods are called from many goroutines.
type Observer interface {
	// Request counts a finished request. mode is the mode decided, "" if none.
	Request(operation, mode, outcome string)
	// Decision is the time one policy decision took, input to answer.
	Decision(d time.Duration)
	// Upstream is the time one call took from sending to reply headers.
	Upstream(d time.Duration)
	// WeakReply counts a reply that showed weaker encryption than decided.
	WeakReply()
	// OpenFailure counts stored bytes that could not be opened although they
	// should be a sealed object: altered, cut, moved, or never sealed.
	OpenFailure()
}

// UploadStore remembers open uploads of sealed objects for clients that go on
// from a listed upload id. Nothing else needs it: the id a client got when it
// created an upload holds all there is to know. An envelope is not secret.
// Implementations are safe for concurrent use.
type UploadStore interface {
	Put(ctx context.Context, bucket, upstreamID, key, envelope string) error
	// Get's error is fs.ErrNotExist where the upload is not known.
	Get(ctx context.Context, bucket, upstreamID string) (key, envelope string, err error)
	Delete(ctx context.Context, bucket, upstreamID string) error
	// List returns the ids of the store's uploads that are known in a bucket.
	List(ctx context.Context, bucket string) ([]string, error)
}

// Config is what an Engine needs. All fields are evaluated once, in New.
type Config struct {
	// Parser holds the base names for virtual-host style addressing.
	Parser s3.Parser
	// Verifier checks client signatures. Required.
	Verifier *sigv4.Verifier
	// Clients finds secrets and identities. Required.
	Clients ClientSource
	// Policy decides. Required.
	Policy *policy.Engine
	// Upstream is the store. Required.
	Upstream *upstream.Client
	// Keyrings wrap the data keys of sealed objects; nil if there are none.
	Keyrings *keyring.Set
	// Uploads may be nil: then a listed upload id serves only to abort it.
	Uploads UploadStore
	// Region is the store's region, told to policy.
	Region string
	// ClientCredentials signs upstream with the caller's own access key and
	// secret in place of the gateway's.
	ClientCredentials bool
	// Verify defaults to VerifyRequired.
	Verify Verify
	// PayloadCheck defaults to PayloadCheckGateway.
	PayloadCheck PayloadCheck
	// SealedChecksum defaults to SealedChecksumAuto.
	SealedChecksum SealedChecksum
	// RecordInput defaults to RecordInputDenied.
	RecordInput RecordInput
	// ClientIP gives the client's address without port. The default is the
	// peer address of the connection.
	ClientIP func(*http.Request) string
	// Recorder and Observer may be nil.
	Recorder Recorder
	Observer Observer
	// Now defaults to time.Now.
	Now func() time.Time
}

func (c *Config) complete() error {
	switch {
	case c.Verifier == nil:
		return errors.New("engine: no verifier")
	case c.Clients == nil:
		return errors.New("engine: no clients")
	case c.Policy == nil:
		return errors.New("engine: no policy")
	case c.Upstream == nil:
		return errors.New("engine: no upstream")
	}
	switch c.Verify {
	case "":
		c.Verify = VerifyRequired
	case VerifyRequired, VerifyIfReported, VerifyOff:
	default:
		return fmt.Errorf("engine: verify %q is none of required, if_reported, off", c.Verify)
	}
	switch c.PayloadCheck {
	case "":
		c.PayloadCheck = PayloadCheckGateway
	case PayloadCheckGateway, PayloadCheckStore:
	default:
		return fmt.Errorf("engine: payload_check %q is none of gateway, store", c.PayloadCheck)
	}
	switch c.SealedChecksum {
	case "":
		c.SealedChecksum = SealedChecksumAuto
	case SealedChecksumAuto, SealedChecksumCRC64NVME, SealedChecksumNone:
	default:
		return fmt.Errorf("engine: sealed_checksum %q is none of auto, crc64nvme, none", c.SealedChecksum)
	}
	switch c.RecordInput {
	case "":
		c.RecordInput = RecordInputDenied
	case RecordInputDenied, RecordInputAll, RecordInputNone:
	default:
		return fmt.Errorf("engine: record input %q is none of denied, all, none", c.RecordInput)
	}
	if c.ClientIP == nil {
		c.ClientIP = peerAddress
	}
	if c.Recorder == nil {
		c.Recorder = discard{}
	}
	if c.Observer == nil {
		c.Observer = discard{}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return nil
}

// discard is the Recorder and Observer of an Engine that was given none.
type discard struct{}

func (discard) Record(context.Context, *Record) {}
func (discard) Request(_, _, _ string)          {}
func (discard) Decision(time.Duration)          {}
func (discard) Upstream(time.Duration)          {}
func (discard) WeakReply()                      {}
func (discard) OpenFailure()                    {}
