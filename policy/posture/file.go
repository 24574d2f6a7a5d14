package posture

import "reflect"

// fileYAML is posture.yaml as it is written. posture.schema.json describes the same
// fields for editors; a test compares the two.
type fileYAML struct {
	Version         int                             `yaml:"version"`
	Enforcement     *string                         `yaml:"enforcement"`
	Classifications map[string]classYAML            `yaml:"classifications"`
	Keys            map[string]keyYAML              `yaml:"keys"`
	Keyrings        map[string]keyringYAML          `yaml:"keyrings"`
	Networks        map[string][]string             `yaml:"networks"`
	Profiles        map[string]entryYAML            `yaml:"profiles"`
	Buckets         map[string]map[string]entryYAML `yaml:"buckets"`
	Rules           map[string]actionYAML           `yaml:"rules"`
	Exceptions      []exceptionYAML                 `yaml:"exceptions"`
	BreakGlass      []breakGlassYAML                `yaml:"break_glass"`
	Grants          []grantYAML                     `yaml:"grants"`
}

type classYAML struct {
	Floor Mode `yaml:"floor"`
}

type keyYAML struct {
	ID      string   `yaml:"id"`
	Tenants []string `yaml:"tenants"`
}

type keyringYAML struct {
	Tenants []string `yaml:"tenants"`
}

// entryYAML is a prefix of a bucket or a profile. A nil field was not written.
type entryYAML struct {
	Profile *string `yaml:"profile"`

	Mode        *Mode             `yaml:"mode"`
	KeyID       *string           `yaml:"key_id"`
	AllowedKeys []string          `yaml:"allowed_keys"`
	Keyring     *string           `yaml:"keyring"`
	Keyrings    []string          `yaml:"keyrings"`
	Context     map[string]string `yaml:"context"`
	BucketKey   *bool             `yaml:"bucket_key"`
	OnConflict  *string           `yaml:"on_conflict"`
	OnRead      *string           `yaml:"on_read"`
	Sealed      *string           `yaml:"sealed"`

	Classification  *string  `yaml:"classification"`
	Tenant          *string  `yaml:"tenant"`
	Enforcement     *string  `yaml:"enforcement"`
	Residency       []string `yaml:"residency"`
	Networks        []string `yaml:"networks"`
	Checksum        *string  `yaml:"checksum"`
	Presign         *string  `yaml:"presign"`
	PresignMaxS     *int     `yaml:"presign_max_s"`
	Deletes         *string  `yaml:"deletes"`
	MaxDeleteKeys   *int     `yaml:"max_delete_keys"`
	RequiredContext []string `yaml:"required_context"`
	MinTLS          *string  `yaml:"min_tls"`
	ClientCert      *string  `yaml:"client_cert"`
}

// over returns the entry with what it leaves out taken from a profile.
func (y entryYAML) over(profile entryYAML) entryYAML {
	own, from := reflect.ValueOf(&y).Elem(), reflect.ValueOf(profile)
	for i := range own.NumField() {
		if own.Field(i).IsNil() {
			own.Field(i).Set(from.Field(i))
		}
	}
	return y
}

type actionYAML struct {
	Action string  `yaml:"action"`
	Then   *string `yaml:"then"`
	On     *string `yaml:"on"` // 2006-01-02
}

// scopeYAML is what exceptions and break-glass windows have in common.
type scopeYAML struct {
	ID         string   `yaml:"id"`
	Rules      []string `yaml:"rules"`
	Resources  []string `yaml:"resources"`
	Principals []string `yaml:"principals"`
	Groups     []string `yaml:"groups"`
	Owner      string   `yaml:"owner"`
	Ticket     string   `yaml:"ticket"`
}

type exceptionYAML struct {
	scopeYAML `yaml:",inline"`
	Until     string `yaml:"until"` // 2006-01-02, that day included
}

type breakGlassYAML struct {
	scopeYAML `yaml:",inline"`
	From      string `yaml:"from"`  // RFC 3339
	Until     string `yaml:"until"` // RFC 3339, exclusive
}

type grantYAML struct {
	ID         string   `yaml:"id"`
	Principals []string `yaml:"principals"`
	Groups     []string `yaml:"groups"`
	Actions    []string `yaml:"actions"`
	Resources  []string `yaml:"resources"`
}
