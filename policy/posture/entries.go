package posture

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// or is what a pointer points to, otherwise when it is nil.
func or[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

// Bounds of numbers in an entry. S3 gives presigned URLs at most seven days and takes
// at most a thousand keys in one DeleteObjects.
const (
	maxPresign = 7 * 24 * 60 * 60
	maxKeys    = 1000
)

var tlsVersions = map[string]int{"1.2": 12, "1.3": 13}

const modeWords = "none, sse-s3, sse-c, sse-kms, dsse-kms, cse"

// entry makes an entry of a bucket whole: the profile it names fills what it leaves
// out, and names of keys become keys.
func (n *names) entry(place string, y entryYAML, p *problems) entryYAML {
	if y.Profile != nil {
		profile, ok := n.profiles[*y.Profile]
		if !ok {
			p.add(place, "profile: %q is none of profiles", *y.Profile)
		}
		profile.Profile = nil
		y = y.over(profile)
	}
	n.check(place, &y, p)
	switch mode := or(y.Mode, ""); {
	case mode.Rank() < 0:
		if y.Mode == nil {
			p.add(place, "mode: %q is not one of %s", "", modeWords)
		}
	case y.Classification != nil:
		if class, ok := n.classes[*y.Classification]; ok && mode.Rank() < class.Floor.Rank() {
			p.add(place, "mode: %s is weaker than %s, the floor of %s", mode, class.Floor, *y.Classification)
		}
	}
	return y
}

// profile checks a profile by itself. What it leaves out is for entries to say.
func (n *names) profile(name string, y entryYAML, p *problems) {
	place := fmt.Sprintf("profiles[%s]", name)
	named("profiles", p, name)
	if y.Profile != nil {
		p.add(place, "profile: a profile does not name another one")
	}
	n.check(place, &y, p)
}

// check refuses what is wrong with an entry, as far as it goes, and resolves its keys.
func (n *names) check(place string, y *entryYAML, p *problems) {
	n.resolveKeys(place, y, p)
	y.validate(place, p)
	n.checkKeys(place, y, p)
	if y.Classification != nil {
		if _, ok := n.classes[*y.Classification]; !ok {
			p.add(place, "classification: %q is none of classifications", *y.Classification)
		}
	}
	for _, name := range y.Networks {
		if _, ok := n.networks[name]; !ok {
			p.add(place, "networks: %q is none of networks", name)
		}
	}
}

func (y *entryYAML) validate(place string, p *problems) {
	if y.Mode != nil && y.Mode.Rank() < 0 {
		p.add(place, "mode: %q is not one of %s", *y.Mode, modeWords)
		return
	}
	y.validateMode(place, p)

	oneOf(place+": enforcement", p, y.Enforcement, EnforcementEnforce, EnforcementWarn, EnforcementAudit)
	oneOf(place+": checksum", p, y.Checksum, Required, ChecksumStrong)
	oneOf(place+": presign", p, y.Presign, PresignAll, PresignRead, PresignNone)
	oneOf(place+": deletes", p, y.Deletes, DeletesAllow, DeletesDeny)
	oneOf(place+": min_tls", p, y.MinTLS, "1.2", "1.3")
	oneOf(place+": client_cert", p, y.ClientCert, Required)
	within(place+": presign_max_s", p, y.PresignMaxS, maxPresign)
	within(place+": max_delete_keys", p, y.MaxDeleteKeys, maxKeys)
	if y.Tenant != nil {
		filled(place+": tenant", p, []string{*y.Tenant})
	}
	filled(place+": residency", p, y.Residency)
	filled(place+": required_context", p, y.RequiredContext)
}

// validateMode checks what depends on the mode, as far as that is known: a profile may
// leave it to the entries.
func (y *entryYAML) validateMode(place string, p *problems) {
	word := func(field string, value *string, words ...string) {
		if value != nil && *value != "" { // an empty one stands for the default
			oneOf(place+": "+field, p, value, words...)
		}
	}
	word("on_conflict", y.OnConflict, OnConflictReject, OnConflictReplace, OnConflictKeepStronger, OnConflictKeepIfAllowed)
	word("on_read", y.OnRead, OnReadDecrypt, OnReadPassThrough, OnReadReject)
	word("sealed", y.Sealed, SealedMixed, SealedAll)

	if y.Mode != nil {
		mode := *y.Mode
		cse := mode == ModeCSE
		onlyWith := func(field string, given, allowed bool, modes string) {
			if given && !allowed {
				p.add(place, "%s: has no meaning with mode %s, only with %s", field, mode, modes)
			}
		}
		onlyWith("key_id", or(y.KeyID, "") != "", mode.KMS(), "sse-kms and dsse-kms")
		onlyWith("allowed_keys", y.AllowedKeys != nil, !cse, "modes that leave encryption to the store")
		onlyWith("keyring", y.Keyring != nil, cse, "cse")
		onlyWith("keyrings", y.Keyrings != nil, cse, "cse")
		onlyWith("context", y.Context != nil, mode.KMS() || cse, "sse-kms, dsse-kms and cse")
		onlyWith("bucket_key", y.BucketKey != nil, mode == ModeKMS, "sse-kms")
		onlyWith("sealed", or(y.Sealed, "") != "", cse, "cse")
	}

	texts(place+": key_id", p, or(y.KeyID, ""))
	if y.Keyring != nil {
		named(place+": keyring", p, *y.Keyring)
	}
	named(place+": keyrings", p, y.Keyrings...)
	filled(place+": allowed_keys", p, y.AllowedKeys)
	for key, value := range y.Context {
		if key == "" {
			p.add(place, "context: an empty name")
		}
		texts(place+": context", p, key, value)
	}
}

// oneOf refuses a value that is given and none of the words.
func oneOf(place string, p *problems, value *string, words ...string) {
	if value != nil && !slices.Contains(words, *value) {
		p.add(place, "%.100q is not one of %s", *value, strings.Join(words, ", "))
	}
}

func within(place string, p *problems, value *int, largest int) {
	if value != nil && (*value < 1 || *value > largest) {
		p.add(place, "%d is not between 1 and %d", *value, largest)
	}
}

// rule makes the rule of a valid, whole entry.
func (y entryYAML) rule(bucket, prefix string) *Rule {
	r := &Rule{
		ID:          bucket + "/" + prefix,
		BucketGlob:  bucket,
		Prefix:      prefix,
		Profile:     or(y.Profile, ""),
		Mode:        or(y.Mode, ""),
		KeyID:       or(y.KeyID, ""),
		AllowedKeys: y.AllowedKeys,
		Context:     y.Context,
		BucketKey:   y.BucketKey,
		OnConflict:  cmp.Or(or(y.OnConflict, ""), OnConflictReject),
		OnRead:      cmp.Or(or(y.OnRead, ""), OnReadDecrypt),
		Sealed:      cmp.Or(or(y.Sealed, ""), SealedMixed),

		Classification:  or(y.Classification, ""),
		Tenant:          or(y.Tenant, ""),
		Enforcement:     or(y.Enforcement, ""),
		Residency:       y.Residency,
		Networks:        y.Networks,
		Checksum:        or(y.Checksum, ""),
		Presign:         or(y.Presign, PresignAll),
		PresignMaxS:     or(y.PresignMaxS, 0),
		Deletes:         or(y.Deletes, DeletesAllow),
		MaxDeleteKeys:   or(y.MaxDeleteKeys, 0),
		RequiredContext: y.RequiredContext,
		TLSMin:          tlsVersions[or(y.MinTLS, "")],
		ClientCert:      or(y.ClientCert, ""),
	}
	if r.KeyID != "" && !slices.Contains(r.AllowedKeys, r.KeyID) {
		r.AllowedKeys = append([]string{r.KeyID}, r.AllowedKeys...)
	}
	if r.Mode == ModeCSE {
		r.Keyring = or(y.Keyring, DefaultKeyring)
		r.Keyrings = []string{r.Keyring}
		for _, name := range y.Keyrings {
			if !slices.Contains(r.Keyrings, name) {
				r.Keyrings = append(r.Keyrings, name)
			}
		}
	}
	return r
}
