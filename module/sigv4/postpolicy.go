package sigv4

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sealgate/sealgate/module/s3"
)

// maxPostPolicy bounds the JSON of a policy; all fields of a form together may
// not be larger.
const maxPostPolicy = 64 << 10

// PostPolicy is the document that says which form uploads its signer allows:
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
// It is immutable. The zero PostPolicy allows nothing.
type PostPolicy struct {
	Expiration time.Time // UTC
	conditions []condition
}

// condition is one entry of the conditions list.
type condition struct {
	op       string // eq, starts-with, content-length-range
	field    string // as written, without "$"
	value    string
	min, max int64 // bytes, for content-length-range
}

const (
	opEqual       = "eq"
	opStartsWith  = "starts-with"
	opLengthRange = "content-length-range"
)

// String shows a condition as S3 quotes it in errors.
func (c condition) String() string {
	if c.op == opLengthRange {
		return fmt.Sprintf(`["%s", %d, %d]`, c.op, c.min, c.max)
	}
	return fmt.Sprintf(`["%s", "$%s", "%s"]`, c.op, c.field, c.value)
}

// Check holds the fields of a form upload to bucket against p at time now.
// Every condition must hold and every field must be covered by one, but for
// those S3 exempts. The bucket is checked like a field, whether or not the form
// repeats it. "${filename}" must have been replaced before, so that what is
// checked is what will be stored. Errors are AccessDenied, worded as S3 does.
func (p PostPolicy) Check(now time.Time, f Fields, bucket string) error {
	if !now.Before(p.Expiration) {
		return violation("Policy expired.")
	}
	covered := map[string]bool{}
	for _, c := range p.conditions {
		if c.op == opLengthRange {
			continue
		}
		name := strings.ToLower(c.field)
		covered[name] = true
		value, ok := f[name]
		if name == "bucket" {
			value, ok = bucket, true
		}
		if !ok || !c.holds(name, value) {
			return violation("Policy Condition failed: " + c.String())
		}
	}
	var extra []string
	for name := range f {
		if !covered[name] && !isExempt(name) && name != "bucket" {
			extra = append(extra, name)
		}
	}
	if !covered["bucket"] {
		extra = append(extra, "bucket")
	}
	if extra != nil {
		slices.Sort(extra)
		return violation("Extra input fields: " + strings.Join(extra, ", "))
	}
	return nil
}

func violation(text string) error {
	return s3.ErrAccessDenied.WithMessage("Invalid according to Policy: " + text)
}

func isExempt(field string) bool {
	switch field {
	case "file", fieldPolicy, fieldSignature, fieldV2AccessKey:
		return true
	}
	return strings.HasPrefix(field, "x-ignore-")
}

// holds reports whether value meets c. A Content-Type with commas is a list of
// which every entry must have the prefix.
func (c condition) holds(name, value string) bool {
	if c.op == opEqual {
		return value == c.value
	}
	if name != "content-type" {
		return strings.HasPrefix(value, c.value)
	}
	for entry := range strings.SplitSeq(value, ",") {
		if !strings.HasPrefix(strings.TrimLeft(entry, " "), c.value) {
			return false
		}
	}
	return true
}

// LengthRange is the smallest and largest file in bytes that p allows, both
// inclusive, and whether it limits the size at all. Several ranges are
// intersected; least may then exceed most, which allows nothing.
func (p PostPolicy) LengthRange() (least, most int64, ok bool) {
	most = math.MaxInt64
	for _, c := range p.conditions {
		if c.op == opLengthRange {
			least, most, ok = max(least, c.min), min(most, c.max), true
		}
	}
	return least, most, ok
}

// CheckLength answers a file of size bytes that p does not allow with
// EntityTooSmall or EntityTooLarge.
func (p PostPolicy) CheckLength(size int64) error {
	least, most, ok := p.LengthRange()
	switch {
	case ok && size > most:
		return s3.ErrEntityTooLarge.With("ProposedSize", strconv.FormatInt(size, 10)).
			With("MaxSizeAllowed", strconv.FormatInt(most, 10))
	case ok && size < least:
		return s3.ErrEntityTooSmall.With("ProposedSize", strconv.FormatInt(size, 10)).
			With("MinSizeAllowed", strconv.FormatInt(least, 10))
	}
	return nil
}

// ParsePostPolicy reads the base64 JSON of a policy field, at most 64 KiB. It
// takes exactly the documented form: an expiration and a list of conditions,
// nothing else and nothing twice. Errors are InvalidPolicyDocument, worded as
// S3 does where S3 has words.
func ParsePostPolicy(encoded string) (PostPolicy, error) {
	if base64.StdEncoding.DecodedLen(len(encoded)) > maxPostPolicy+3 {
		return PostPolicy{}, s3.ErrMaxPostPreDataLengthExceededError
	}
	data, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return PostPolicy{}, invalidPolicy("invalid Base64 encoding.")
	}
	if len(data) > maxPostPolicy {
		return PostPolicy{}, s3.ErrMaxPostPreDataLengthExceededError
	}
	if !utf8.Valid(data) {
		return PostPolicy{}, invalidPolicy("Invalid JSON.")
	}
	d := policyDecoder{json.NewDecoder(strings.NewReader(string(data)))}
	d.UseNumber()
	return d.policy()
}

func invalidPolicy(problem string) error {
	return s3.ErrInvalidPolicyDocument.WithMessage("Invalid Policy: " + problem)
}

// policyDecoder reads the grammar of a policy token by token: the package's
// decoding into structs would fold the case of names, take duplicates and
// ignore what it does not know.
type policyDecoder struct{ *json.Decoder }

func (d policyDecoder) policy() (p PostPolicy, err error) {
	if err := d.delim('{', "Invalid JSON."); err != nil {
		return p, err
	}
	seen := map[string]bool{}
	for d.More() {
		name, err := d.text("Invalid JSON.")
		if err != nil {
			return PostPolicy{}, err
		}
		if seen[name] {
			return PostPolicy{}, invalidPolicy(fmt.Sprintf("Unexpected: '%s'", name))
		}
		seen[name] = true
		switch name {
		case "expiration":
			p.Expiration, err = d.expiration()
		case "conditions":
			p.conditions, err = d.conditions()
		default:
			err = invalidPolicy(fmt.Sprintf("Unexpected: '%s'", name))
		}
		if err != nil {
			return PostPolicy{}, err
		}
	}
	if err := d.delim('}', "Invalid JSON."); err != nil {
		return PostPolicy{}, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return PostPolicy{}, invalidPolicy("Invalid JSON.")
	}
	switch {
	case !seen["expiration"]:
		return PostPolicy{}, invalidPolicy("Policy missing expiration.")
	case !seen["conditions"]:
		return PostPolicy{}, invalidPolicy("Policy missing conditions.")
	}
	return p, nil
}

func (d policyDecoder) expiration() (time.Time, error) {
	text, err := d.text("Invalid 'expiration' value: must be a string.")
	if err != nil {
		return time.Time{}, err
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, invalidPolicy(fmt.Sprintf("Invalid 'expiration' value: '%s'", text))
	}
	return t.UTC(), nil
}

func (d policyDecoder) conditions() (list []condition, err error) {
	if err := d.delim('[', "Invalid 'conditions' value: must be a List."); err != nil {
		return nil, err
	}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, invalidPolicy("Invalid JSON.")
		}
		var c condition
		switch token {
		case json.Delim('{'):
			c, err = d.simple()
		case json.Delim('['):
			c, err = d.listed()
		default:
			err = invalidPolicy("Invalid condition test: must be a List or Object.")
		}
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, d.delim(']', "Invalid JSON.")
}

// simple reads the rest of {"field": "value"}.
func (d policyDecoder) simple() (c condition, err error) {
	const onlyOne = "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified."
	c.op = opEqual
	if !d.More() {
		return c, invalidPolicy(onlyOne)
	}
	if c.field, err = d.text("Invalid JSON."); err != nil {
		return c, err
	}
	if c.value, err = d.text("Invalid Simple-Condition: value must be a string."); err != nil {
		return c, err
	}
	if d.More() {
		return c, invalidPolicy(onlyOne)
	}
	return c, d.delim('}', "Invalid JSON.")
}

// listed reads the rest of ["eq", "$field", "value"] and its siblings.
func (d policyDecoder) listed() (c condition, err error) {
	if !d.More() {
		return c, invalidPolicy("Invalid Condition: missing operation identifier.")
	}
	if c.op, err = d.text("Invalid Condition: missing operation identifier."); err != nil {
		return c, err
	}
	count := "Invalid " + c.op + ": wrong number of arguments."
	switch c.op {
	case opEqual, opStartsWith:
		if c.field, err = d.text(count); err != nil {
			return c, err
		}
		var found bool
		if c.field, found = strings.CutPrefix(c.field, "$"); !found || c.field == "" {
			return c, invalidPolicy("Invalid " + c.op + ": the first argument must be a field name that starts with '$'.")
		}
		if c.value, err = d.text(count); err != nil {
			return c, err
		}
	case opLengthRange:
		if c.min, err = d.size(count); err != nil {
			return c, err
		}
		if c.max, err = d.size(count); err != nil {
			return c, err
		}
		if c.min > c.max {
			return c, invalidPolicy("Invalid " + c.op + ": the minimum is larger than the maximum.")
		}
	default:
		return c, invalidPolicy("Invalid Condition: unknown operation '" + c.op + "'.")
	}
	return c, d.delim(']', count)
}

// delim reads one bracket.
func (d policyDecoder) delim(want json.Delim, problem string) error {
	if token, err := d.Token(); err != nil || token != want {
		return invalidPolicy(problem)
	}
	return nil
}

// text reads one string.
func (d policyDecoder) text(problem string) (string, error) {
	token, err := d.Token()
	s, ok := token.(string)
	if err != nil || !ok {
		return "", invalidPolicy(problem)
	}
	return s, nil
}

// size reads a number of bytes, as a number or, as some tools write it, a
// string of digits.
func (d policyDecoder) size(problem string) (int64, error) {
	token, err := d.Token()
	if err != nil {
		return 0, invalidPolicy(problem)
	}
	var digits string
	switch v := token.(type) {
	case json.Number:
		digits = v.String()
	case string:
		digits = v
	default:
		return 0, invalidPolicy(problem)
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil {
		return 0, invalidPolicy("Invalid " + opLengthRange + ": '" + digits + "' is not a number of bytes.")
	}
	return int64(n), nil
}
