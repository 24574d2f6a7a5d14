package policy

import (
	"encoding/json"

	"github.com/sealgate/sealgate/policy/posture"
)

// InputSchema is the identifier of the input document.
const InputSchema = "sealgate.input/v1"

// List is a list of strings that is never null in JSON.
type List []string

// MarshalJSON writes nil as an empty array: the input document has no nulls.
func (l List) MarshalJSON() ([]byte, error) {
	if l == nil {
		return []byte("[]"), nil
	}
	return json.Marshal([]string(l))
}

// Map is a string map that is never null in JSON.
type Map map[string]string

// MarshalJSON writes nil as an empty object: the input document has no nulls.
func (m Map) MarshalJSON() ([]byte, error) {
	if m == nil {
		return []byte("{}"), nil
	}
	return json.Marshal(map[string]string(m))
}

// Input is the document a policy sees for one request (sealgate.input/v1). It is
// total: every field is always present with a neutral value, so that a rule which
// reads it can never silently be undefined. It is closed: the schema in
// rego/schemas/input.json lists the same fields and no others. It holds no secrets.
//
// The caller fills the facts of the request. Generation.Decide fills Posture,
// Grants, Gateway.Revision, Time (when NS is 0) and every field marked "derived";
// what the caller wrote there is overwritten. Neutral values may be left at Go's
// zero value: an empty requested mode becomes none, an empty observed mode unknown,
// an empty bucket key unset. Decide keeps no reference to the Input.
type Input struct {
	Schema     string          `json:"schema"` // derived: InputSchema
	Identity   Identity        `json:"identity"`
	Request    Request         `json:"request"`
	Resource   Resource        `json:"resource"`
	CopySource CopySource      `json:"copy_source"`
	Encryption EncryptionFacts `json:"encryption"`
	Object     Object          `json:"object"`
	Document   Document        `json:"document"`
	Transport  Transport       `json:"transport"`
	Time       Time            `json:"time"`
	Posture    Posture         `json:"posture"` // filled by Decide
	Grants     Grants          `json:"grants"`  // filled by Decide
	Gateway    Gateway         `json:"gateway"`
}

// Identity is who asks, after the signature was checked.
type Identity struct {
	AuthMethod string `json:"auth_method"` // one of the Auth constants; empty = anonymous
	Verified   bool   `json:"verified"`    // the signature was checked and is good; false for anonymous
	AccessKey  string `json:"access_key"`
	Principal  string `json:"principal"`
	Groups     List   `json:"groups"`
	Attributes Map    `json:"attributes"`
}

// Request is what is asked, as far as it is not about encryption.
type Request struct {
	ID            string    `json:"id"`
	Operation     string    `json:"operation"`      // "PutObject"
	Action        string    `json:"action"`         // primary IAM action, "s3:PutObject"
	Actions       List      `json:"actions"`        // every action needed on Resource; empty = just Action
	SourceActions List      `json:"source_actions"` // every action needed on CopySource.Resource
	Class         string    `json:"class"`          // one of the Class constants
	Method        string    `json:"method"`         // HTTP method
	ReadOnly      bool      `json:"read_only"`      // changes nothing at the store
	ContentLength int64     `json:"content_length"` // bytes of the decoded body, -1 unknown
	Multipart     Multipart `json:"multipart"`
	Checksum      string    `json:"checksum"` // algorithm announced by the client, lower-case, "" none
	ACL           ACL       `json:"acl"`
	Tags          Map       `json:"tags"` // object tags the request sets
	StorageClass  string    `json:"storage_class"`
	Presign       Presign   `json:"presign"`
	Payload       string    `json:"payload"`   // one of the Payload constants; empty = none
	Prefix        string    `json:"prefix"`    // prefix a listing asks for
	Headers       Map       `json:"headers"`   // x-amz-* by lower-case name; secrets are the text "[present]"
	KeyCount      int       `json:"key_count"` // keys that a DeleteObjects names, 0 for every other operation
}

// Multipart says which upload a request belongs to.
type Multipart struct {
	Active     bool   `json:"active"`
	UploadID   string `json:"upload_id"`
	PartNumber int    `json:"part_number"` // 1..10000, 0 none
}

// ACL is what the request says about access control lists.
type ACL struct {
	Canned string `json:"canned"` // x-amz-acl
	Public bool   `json:"public"` // a grant or document names AllUsers or AuthenticatedUsers
}

// Presign holds the facts of a presigned URL.
type Presign struct {
	Active   bool  `json:"active"`
	AgeS     int64 `json:"age_s"`     // seconds since it was signed
	ExpiresS int64 `json:"expires_s"` // life time in seconds it was signed for
}

// Resource is what the request acts on.
type Resource struct {
	Bucket    string `json:"bucket"` // "" for service-level operations
	Key       string `json:"key"`    // decoded once; "" for bucket-level operations
	VersionID string `json:"version_id"`
	Prefixes  List   `json:"prefixes"` // derived: every ancestor of Key, "a/", "a/b/"
}

// CopySource is the object a copy reads. Unless Present the rest is neutral.
type CopySource struct {
	Present    bool     `json:"present"`
	Resource   Resource `json:"resource"`
	Encryption Observed `json:"encryption"`
	Tenant     string   `json:"tenant"` // derived: of the prefix Resource is under, "" none
}

// EncryptionFacts is what the client asked for and what the bucket would do by itself.
type EncryptionFacts struct {
	Requested     Requested `json:"requested"`
	Explicit      bool      `json:"explicit"` // the client said anything about encryption
	BucketDefault Observed  `json:"bucket_default"`
}

// Requested is the encryption a client asked for.
type Requested struct {
	Mode      Mode      `json:"mode"` // empty = none
	KeyID     string    `json:"key_id"`
	Context   Map       `json:"context"`
	BucketKey BucketKey `json:"bucket_key"`
	Rank      int       `json:"rank"` // derived from Mode
}

// Observed is the encryption of something stored, as far as it is known.
type Observed struct {
	Known     bool      `json:"known"`
	Mode      Mode      `json:"mode"` // empty or not Known = unknown
	KeyID     string    `json:"key_id"`
	BucketKey BucketKey `json:"bucket_key"`
	Rank      int       `json:"rank"` // derived from Mode, -1 unknown
}

// Object is the stored object a request reads or replaces. Unless Known the rest is
// neutral.
type Object struct {
	Known      bool     `json:"known"`
	Exists     bool     `json:"exists"`
	Size       int64    `json:"size"` // bytes
	Encryption Observed `json:"encryption"`
}

// Document is what an XML request body says about encryption. Unless Present the
// rest is neutral.
type Document struct {
	Present      bool     `json:"present"`
	Kind         string   `json:"kind"`
	Settings     Settings `json:"settings"`
	Blocked      List     `json:"blocked"`      // BlockedEncryptionTypes of PutBucketEncryption
	Destinations List     `json:"destinations"` // bucket names or ARNs data is written to
	Opens        bool     `json:"opens"`        // lets everyone in: a policy or ACL for all, a public access block taken back
	Suspends     bool     `json:"suspends"`     // stops keeping what is deleted: versioning suspended, object lock off
}

// Setting is one encryption choice inside a document.
type Setting struct {
	Path      string    `json:"path"`
	Mode      Mode      `json:"mode"` // empty = unknown
	KeyID     string    `json:"key_id"`
	BucketKey BucketKey `json:"bucket_key"`
	Rank      int       `json:"rank"` // derived from Mode
}

// Transport is the client's connection, from the connection itself.
type Transport struct {
	TLS           bool   `json:"tls"`
	TLSVersion    string `json:"tls_version"`     // "1.2", "1.3", "" without TLS
	TLSVersionNum int    `json:"tls_version_num"` // derived: 10 to 13, 0 without TLS
	SourceIP      string `json:"source_ip"`       // without port or zone; may come from a trusted proxy
	Loopback      bool   `json:"loopback"`        // the connection itself comes from this machine; never from a header
	SNI           string `json:"sni"`
	Networks      List   `json:"networks"` // derived: names of the posture's networks SourceIP is in, sorted
	Cipher        string `json:"cipher"`   // name of the TLS cipher suite, "" without TLS
	// ClientCert is the certificate the client proved to own in the TLS handshake.
	ClientCert ClientCert `json:"client_cert"`
}

// ClientCert is a verified TLS client certificate. Unless Present the rest is neutral.
type ClientCert struct {
	Present bool   `json:"present"`
	Subject string `json:"subject"` // distinguished name, RFC 2253
	SANs    List   `json:"sans"`    // DNS names, e-mail addresses, IP addresses and URIs, in this order
}

// Time is when the request arrived, in UTC. Use TimeAt.
type Time struct {
	NS      int64  `json:"ns"` // since the Unix epoch
	RFC3339 string `json:"rfc3339"`
	Date    string `json:"date"`    // 2006-01-02
	Hour    int    `json:"hour"`    // 0 to 23
	Weekday string `json:"weekday"` // Monday
}

// Posture is what posture.yaml says about Resource. A resource it does not cover
// has an empty ID, an empty mode and rank -1; what the file says for all of it,
// such as Enforcement, Actions and Waivers, is there nevertheless.
type Posture struct {
	ID          string    `json:"id"`
	BucketGlob  string    `json:"bucket_glob"`
	Prefix      string    `json:"prefix"`
	Mode        Mode      `json:"mode"`
	Rank        int       `json:"rank"`
	KeyID       string    `json:"key_id"`
	AllowedKeys List      `json:"allowed_keys"` // always holds KeyID when that is set
	Keyring     string    `json:"keyring"`
	Context     Map       `json:"context"`
	BucketKey   BucketKey `json:"bucket_key"`
	OnConflict  string    `json:"on_conflict"`
	OnRead      string    `json:"on_read"`

	Classification string `json:"classification"` // name of the class, "" none
	Floor          Mode   `json:"floor"`          // weakest mode of the class, "" none
	Tenant         string `json:"tenant"`
	Enforcement    string `json:"enforcement"` // one of the posture.Enforcement constants
	Residency      List   `json:"residency"`   // regions data may be in, empty = everywhere
	Networks       List   `json:"networks"`    // names of networks a request may come from, empty = all

	Checksum        string `json:"checksum"`         // "", required or strong
	Presign         string `json:"presign"`          // all, read or none
	PresignMaxS     int    `json:"presign_max_s"`    // seconds, 0 = not said
	Deletes         string `json:"deletes"`          // allow or deny
	MaxDeleteKeys   int    `json:"max_delete_keys"`  // 0 = not said
	RequiredContext List   `json:"required_context"` // names the encryption context must have
	TLSMin          int    `json:"tls_min"`          // 12 or 13, 0 = not said
	ClientCert      string `json:"client_cert"`      // "" or required

	// KeyTenants lists, for the named keys that belong to tenants, by every form of
	// their id the file implies: whose they are.
	KeyTenants Lists `json:"key_tenants"`
	// Actions holds the rules whose findings do other than deny: warn, audit or off.
	Actions Map `json:"actions"`
	// Waivers are the exceptions and break-glass windows that are there for this
	// request, sorted.
	Waivers Waivers `json:"waivers"`

	// epoch is the span between two dates of the file Actions is for. Within a
	// generation it stands for them in the key of a remembered decision.
	epoch int
}

// Waiver is one rule that an exception or a break-glass window is about.
type Waiver = posture.Waiver

// The values of Waiver.Kind. WaiverEnded is a break-glass window that is over; it
// lifts nothing.
const (
	WaiverException  = posture.WaiverException
	WaiverBreakGlass = posture.WaiverBreakGlass
	WaiverEnded      = posture.WaiverEnded
)

// Waivers is a list of waivers that is never null in JSON.
type Waivers []Waiver

// MarshalJSON writes nil as an empty array: the input document has no nulls.
func (w Waivers) MarshalJSON() ([]byte, error) {
	if w == nil {
		return []byte("[]"), nil
	}
	return json.Marshal([]Waiver(w))
}

// Lists is a map of lists that is never null in JSON.
type Lists map[string]List

// MarshalJSON writes nil as an empty object: the input document has no nulls.
func (l Lists) MarshalJSON() ([]byte, error) {
	if l == nil {
		return []byte("{}"), nil
	}
	return json.Marshal(map[string]List(l))
}

// Grants is what posture.yaml allows this identity to do.
type Grants struct {
	IDs     List `json:"ids"`     // grants that were used
	Missing List `json:"missing"` // actions no grant covers
}

// Gateway describes this gateway and its store.
type Gateway struct {
	Upstream string `json:"upstream"` // host of the store
	Region   string `json:"region"`
	Revision string `json:"revision"` // filled by Decide
}

// Settings is a list of settings that is never null in JSON.
type Settings []Setting

// MarshalJSON writes nil as an empty array: the input document has no nulls.
func (s Settings) MarshalJSON() ([]byte, error) {
	if s == nil {
		return []byte("[]"), nil
	}
	return json.Marshal([]Setting(s))
}
