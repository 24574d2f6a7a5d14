package posture

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// kmsKey matches what KMS itself takes for a key: an ARN, an alias, the id of a key.
// (https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id)
var kmsKey = regexp.MustCompile(`^(arn:.+|alias/.+|mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$`)

// names are what the file gives a name to, for entries to refer to.
type names struct {
	classes  map[string]classYAML
	keys     map[string]keyYAML
	ids      map[string]bool     // of the keys
	owners   map[string][]string // see keyTenants
	keyrings map[string]keyringYAML
	networks map[string][]string
	profiles map[string]entryYAML
}

func (f *fileYAML) names(p *problems) names {
	n := names{
		classes: f.Classifications, keys: f.Keys, ids: map[string]bool{}, owners: keyTenants(f.Keys),
		keyrings: f.Keyrings, networks: f.Networks, profiles: f.Profiles,
	}
	for _, name := range slices.Sorted(maps.Keys(f.Classifications)) {
		place := fmt.Sprintf("classifications[%s]", name)
		named("classifications", p, name)
		if floor := f.Classifications[name].Floor; floor.Rank() < 0 {
			p.add(place, "floor: %q is not one of %s", floor, modeWords)
		}
	}
	used := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(f.Keys)) {
		place, key := fmt.Sprintf("keys[%s]", name), f.Keys[name]
		named("keys", p, name)
		switch other, twice := used[key.ID]; {
		case kmsKey.MatchString(name):
			p.add("keys", "%q is a key, not a name for one", name)
		case key.ID == "":
			p.add(place, "id: missing")
		case twice:
			p.add(place, "id: it is that of keys[%s], too", other)
		}
		used[key.ID] = name
		texts(place+": id", p, key.ID)
		filled(place+": tenants", p, key.Tenants)
		n.ids[key.ID] = true
	}
	for _, name := range slices.Sorted(maps.Keys(f.Keyrings)) {
		named("keyrings", p, name)
		filled(fmt.Sprintf("keyrings[%s]: tenants", name), p, f.Keyrings[name].Tenants)
	}
	return n
}

// key is the key a text of the file stands for: a name of the section keys, or itself.
func (n *names) key(text string) (id string, ok bool) {
	if key, named := n.keys[text]; named {
		return key.ID, true
	}
	return text, n.keys == nil || text == "" || n.ids[text] || kmsKey.MatchString(text)
}

// resolveKeys puts the keys in the place of their names.
func (n *names) resolveKeys(place string, y *entryYAML, p *problems) {
	resolve := func(field, text string) string {
		id, ok := n.key(text)
		if !ok {
			p.add(place, "%s: %q is neither a name of keys nor the id, alias or ARN of one", field, text)
		}
		return id
	}
	if y.KeyID != nil {
		id := resolve("key_id", *y.KeyID)
		y.KeyID = &id
	}
	y.AllowedKeys = slices.Clone(y.AllowedKeys)
	for i, text := range y.AllowedKeys {
		y.AllowedKeys[i] = resolve("allowed_keys", text)
	}
}

// checkKeys refuses keys and keyrings of an entry that are not for its tenant, or in a
// region its data may not be in.
func (n *names) checkKeys(place string, y *entryYAML, p *problems) {
	check := func(field, id string) {
		owners, owned := n.owners[id]
		if y.Tenant != nil && owned && !slices.Contains(owners, *y.Tenant) {
			p.add(place, "%s: %q belongs to %s, not to %s", field, id, strings.Join(owners, ", "), *y.Tenant)
		}
		if region := keyRegion(id); region != "" && len(y.Residency) > 0 && !slices.Contains(y.Residency, region) {
			p.add(place, "%s: %q is in %s, which residency does not name", field, id, region)
		}
	}
	if y.KeyID != nil {
		check("key_id", *y.KeyID)
	}
	for _, id := range y.AllowedKeys {
		check("allowed_keys", id)
	}
	ring := func(field, name string) {
		k, known := n.keyrings[name]
		switch {
		case n.keyrings == nil:
		case !known:
			p.add(place, "%s: %q is none of keyrings", field, name)
		case y.Tenant != nil && len(k.Tenants) > 0 && !slices.Contains(k.Tenants, *y.Tenant):
			p.add(place, "%s: %q belongs to %s, not to %s", field, name, strings.Join(k.Tenants, ", "), *y.Tenant)
		}
	}
	if y.Mode != nil && *y.Mode == ModeCSE {
		ring("keyring", or(y.Keyring, DefaultKeyring))
	}
	for _, name := range y.Keyrings {
		ring("keyrings", name)
	}
}

// keyRegion is the region of a key's ARN, arn:aws:kms:REGION:…, "" of anything else.
func keyRegion(id string) string {
	parts := strings.SplitN(id, ":", 5)
	if len(parts) < 5 || parts[0] != "arn" {
		return ""
	}
	return parts[3]
}

// keyForms lists a key as KMS takes it: as written, and the ARN without its beginning.
func keyForms(id string) []string {
	forms := []string{id}
	if strings.HasPrefix(id, "arn:") {
		resource := id[strings.LastIndexByte(id, ':')+1:]
		if bare, ok := strings.CutPrefix(resource, "key/"); ok {
			forms = append(forms, bare)
		} else if strings.HasPrefix(resource, "alias/") {
			forms = append(forms, resource)
		}
	}
	return forms
}

// keyTenants lists the tenants of every named key that has some, by every form of its
// id. Where one form stands for several keys only tenants of all of them are left.
func keyTenants(keys map[string]keyYAML) map[string][]string {
	out := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		key := keys[name]
		if len(key.Tenants) == 0 {
			continue
		}
		for _, form := range keyForms(key.ID) {
			tenants := slices.Clone(key.Tenants)
			if others, ok := out[form]; ok {
				tenants = slices.DeleteFunc(tenants, func(t string) bool { return !slices.Contains(others, t) })
			}
			out[form] = tenants
		}
	}
	return out
}

// KeyTenants says of the named keys that belong to tenants whose they are, by key id,
// ARN and alias, as far as the file implies them. The map is not to be modified.
func (p *Posture) KeyTenants() map[string][]string { return p.keyTenants }
