package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/explain"
	"github.com/sealgate/sealgate/policy/posture"
)

// How much is shown to people of what JSON has whole.
const (
	shownNear  = 3
	shownText  = 160
	shownLines = 8
)

// verdictOf is the first line: what is decided of whose request for what.
func verdictOf(in *policy.Input, d policy.Decision) string {
	word := "ALLOWED"
	if !d.Allow {
		word = "DENIED"
	}
	return word + "  " + subjectOf(in) + forWhom(in)
}

// subjectOf is what a request is about.
func subjectOf(in *policy.Input) string {
	target := in.Resource.Bucket
	if in.Resource.Key != "" {
		target += "/" + in.Resource.Key
	}
	out := in.Request.Operation
	if target != "" {
		out += " " + target
	}
	if in.CopySource.Present {
		out += " from " + in.CopySource.Resource.Bucket + "/" + in.CopySource.Resource.Key
	}
	return out
}

func forWhom(in *policy.Input) string {
	switch {
	case in.Identity.Principal != "":
		return " for " + in.Identity.Principal
	case in.Identity.AuthMethod == "" || in.Identity.AuthMethod == policy.AuthAnonymous:
		return " without a signature"
	}
	return ""
}

// explanationWords writes an explanation for people.
type explanationWords struct {
	w    io.Writer
	in   *policy.Input
	e    *explain.Explanation
	site string // the site's directory, to name its files by
}

func (p explanationWords) print() {
	fmt.Fprintln(p.w, verdictOf(p.in, p.e.Decision))
	p.why()
	if p.e.Decision.Allow {
		p.allowed()
	}
	p.near()
	p.changes()
	if p.e.Partial {
		fmt.Fprintf(p.w, "\nTime ran out after %v: there may be more.\n", explain.Limit)
	}
}

// why says which rules gave the findings.
func (p explanationWords) why() {
	if len(p.e.Deciding) == 0 {
		return
	}
	fmt.Fprintln(p.w, "\nWhy")
	for _, r := range p.e.Deciding {
		fmt.Fprintf(p.w, "  %s  %s%s\n", r.Finding.ID, r.Finding.Message, effect(r.Finding))
		title := r.Title
		if title != "" {
			title = " (" + title + ")"
		}
		if r.Place == nil {
			fmt.Fprintf(p.w, "      the gateway itself holds to this, whatever the rules say%s\n", title)
			continue
		}
		fmt.Fprintf(p.w, "      %s%s\n", p.place(*r.Place), title)
		if r.Name != "" {
			fmt.Fprintf(p.w, "      asked about %q, for which some stores take this key\n", r.Name)
		}
		for _, c := range r.Conditions {
			p.condition(c, "holds")
		}
	}
}

// effect is what comes of a finding that does not deny.
func effect(f policy.Finding) string {
	switch {
	case f.Denies() || f.Action == "":
		return ""
	case f.Waiver != "":
		return " [" + f.Action + " only: lifted by " + f.Waiver + "]"
	}
	return " [" + f.Action + " only]"
}

func (p explanationWords) place(at explain.Place) string {
	name := at.File
	if !strings.HasPrefix(name, "rego/") && p.site != "" && !strings.HasPrefix(name, p.site) {
		name = strings.TrimSuffix(p.site, "/") + "/" + name
	}
	return fmt.Sprintf("%s:%d", name, at.Line)
}

func (p explanationWords) condition(c explain.Condition, state string) {
	fmt.Fprintf(p.w, "      line %-4d %s: %s\n", c.Place.Line, state, cut(c.Text))
	for i, v := range c.Values {
		if i == shownLines {
			fmt.Fprintf(p.w, "                  and %d more\n", len(c.Values)-i)
			break
		}
		fmt.Fprintf(p.w, "                  %s = %s\n", v.Path, cut(string(v.Value)))
	}
}

func cut(s string) string {
	if len(s) <= shownText {
		return s
	}
	return strings.ToValidUTF8(s[:shownText], "") + "…"
}

// allowed says by which grants, and how what is written must be encrypted.
func (p explanationWords) allowed() {
	if len(p.e.Grants) > 0 {
		fmt.Fprintf(p.w, "\nGranted by %s\n", strings.Join(p.e.Grants, ", "))
	}
	if p.e.Decision.Encryption.Mode == policy.Unchanged {
		return
	}
	fmt.Fprintf(p.w, "\nEncryption  %s\n", encryptionWords(p.e.Decision.Encryption))
	for _, r := range p.e.Required {
		what := "won"
		if !r.Won {
			what = "was beaten"
		}
		fmt.Fprintf(p.w, "  %s %s  %s\n", r.Mode, what, p.place(r.Place))
	}
	if p.in.Posture.ID != "" {
		fmt.Fprintf(p.w, "  the posture of %s requires %s, on conflict %s\n", p.in.Posture.ID, p.in.Posture.Mode, p.in.Posture.OnConflict)
	}
}

func encryptionWords(e policy.Encryption) string {
	out := string(e.Mode)
	if e.KeyID != "" {
		out += " under " + e.KeyID
	}
	if e.Keyring != "" {
		out += " under keyring " + e.Keyring
	}
	return out
}

// near shows rules that are about what the request has; the others are for programs.
func (p explanationWords) near() {
	title := "Nearly denied, but for one condition"
	if !p.e.Decision.Allow {
		title = "Would have applied too, but for one condition"
	}
	shown := 0
	for _, n := range p.e.Near {
		if n.Absent || shown == shownNear {
			break
		}
		if shown == 0 {
			fmt.Fprintln(p.w, "\n"+title)
		}
		shown++
		fmt.Fprintf(p.w, "  %s  %s  %s\n", n.ID, n.Title, p.place(n.Place))
		p.condition(n.Failed, "does not hold")
	}
	if rest := len(p.e.Near) - shown; shown > 0 && rest > 0 {
		fmt.Fprintf(p.w, "  and %d more (--json)\n", rest)
	}
}

func (p explanationWords) changes() {
	otherwise := "denied"
	if !p.e.Decision.Allow {
		otherwise = "allowed"
	}
	switch {
	case len(p.e.Changes) > 0:
		fmt.Fprintf(p.w, "\nIt would be %s, if only\n", otherwise)
		for _, c := range p.e.Changes {
			fmt.Fprintf(p.w, "  %-10s  %s\n", c.By, p.change(c))
		}
	case len(p.e.Together) > 0:
		fmt.Fprintf(p.w, "\nNo single change is enough. It would be %s with all of\n", otherwise)
		for _, c := range p.e.Together {
			fmt.Fprintf(p.w, "  %-10s  %s\n", c.By, p.change(c))
		}
	case !p.e.Decision.Allow:
		fmt.Fprintln(p.w, "\nNo change of the values the policy compares with was found to allow it.")
	}
}

// requestedWords are the values of x-amz-server-side-encryption.
var requestedWords = map[string]string{
	string(policy.SSES3): "AES256", string(policy.KMS): "aws:kms", string(policy.DSSE): "aws:kms:dsse",
}

const (
	headerSSE = "x-amz-server-side-encryption"
	headerKey = headerSSE + "-aws-kms-key-id"
)

// change says what would be otherwise, in the words of who can make it so.
func (p explanationWords) change(c explain.Change) string {
	to := map[string]any{}
	for _, s := range c.Set {
		to[s.Path] = s.To
	}
	if mode, ok := to["encryption.requested.mode"]; ok {
		return encryptionChange(fmt.Sprint(mode), to)
	}
	if mode, ok := to["posture.mode"]; ok {
		return fmt.Sprintf("the posture covered bucket %s, such as with mode: %v (buckets)", p.in.Resource.Bucket, mode)
	}
	if version, ok := to["transport.tls_version"]; ok {
		return fmt.Sprintf("it came over TLS %v", version)
	}
	if settings, ok := to["document.settings"].(policy.Settings); ok && len(settings) > 0 {
		out := "the document asked for " + string(settings[0].Mode)
		if key := settings[0].KeyID; key != "" {
			out += " under " + key
		}
		return out
	}
	if to["identity.verified"] == true {
		return "it were signed, in its header"
	}
	var parts []string
	for _, s := range c.Set {
		if words := p.set(s, c.By); words != "" {
			parts = append(parts, words)
		}
	}
	return strings.Join(parts, ", ")
}

func encryptionChange(mode string, to map[string]any) string {
	switch mode {
	case string(policy.None):
		return "it named no encryption: the gateway then does what is required"
	case string(policy.SSEC):
		return "it brought a key of its own (SSE-C)"
	}
	out := "it asked for " + mode + " (" + headerSSE + ": " + requestedWords[mode] + ")"
	if key, ok := to["encryption.requested.key_id"]; ok {
		if key == "" {
			return out + " and named no key"
		}
		return out + fmt.Sprintf(" under %v (%s)", key, headerKey)
	}
	return out
}

// set says what one field would be.
func (p explanationWords) set(s explain.Set, by string) string {
	value := jsonText(s.To)
	in := p.in
	switch s.Path {
	case "encryption.requested.key_id":
		if s.To == "" {
			return "it named no key (" + headerKey + "): the required one is then used"
		}
		return "it named the key " + fmt.Sprint(s.To) + " (" + headerKey + ")"
	case "encryption.requested.context":
		return "its encryption context were " + value
	case "encryption.explicit":
		return ""
	case "request.presign.expires_s":
		return "the link were signed for " + value + " seconds"
	case "request.acl.canned":
		if s.To == "" {
			return "it had no access control list (x-amz-acl)"
		}
		return "its access control list were " + value + " (x-amz-acl)"
	case "resource.key":
		return "the key were " + value
	case "grants.missing":
		return fmt.Sprintf("a grant allowed %s on %s%s (grants)", strings.Join(in.Grants.Missing, ", "), strings.Trim(in.Resource.Bucket+"/"+in.Resource.Key, "/"), forWhom(in))
	case "posture.allowed_keys":
		return fmt.Sprintf("%s allowed the key %s too (allowed_keys)", where(in), in.Encryption.Requested.KeyID)
	}
	if id, ok := strings.CutPrefix(s.Path, "posture.actions."); ok {
		return "an exception lifted " + id + " here, or its action were " + posture.ActionWarn + " (exceptions, rules)"
	}
	if name, ok := strings.CutPrefix(s.Path, "posture."); ok && by == explain.ByOperator {
		return fmt.Sprintf("%s had %s: %s instead of %s", where(in), name, value, jsonText(s.From))
	}
	return fmt.Sprintf("%s were %s instead of %s", s.Path, value, jsonText(s.From))
}

func where(in *policy.Input) string {
	if in.Posture.ID == "" {
		return "the posture"
	}
	return "the posture of " + in.Posture.ID
}

func jsonText(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return cut(string(text))
}
