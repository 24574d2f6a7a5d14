package awscli

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// shorthand reads a structured parameter: JSON, or the AWS CLI's own form of it, such
// as Status=Suspended or Objects=[{Key=a},{Key=b}],Quiet=true.
// https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-shorthand.html
func shorthand(text string) (map[string]any, error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "{") && strings.Contains(text, `"`) {
		var out map[string]any
		if err := json.Unmarshal([]byte(text), &out); err != nil {
			return nil, err
		}
		return out, nil
	}
	p := &shorthandParser{text: text}
	out, err := p.object("")
	if err == nil && p.at < len(p.text) {
		err = p.fail("something more")
	}
	return out, err
}

// maxDepth bounds how deep a parameter may be.
const maxDepth = 16

type shorthandParser struct {
	text  string
	at    int
	depth int
}

var errShorthand = errors.New("cannot be read")

func (p *shorthandParser) fail(what string) error {
	return fmt.Errorf("%w at %q: %s", errShorthand, p.text[min(p.at, len(p.text)):], what)
}

func (p *shorthandParser) next() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

// object reads name=value pairs up to end, which is left to the caller.
func (p *shorthandParser) object(end string) (map[string]any, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail("too deep")
	}
	defer func() { p.depth-- }()
	out := map[string]any{}
	for p.at < len(p.text) && (end == "" || p.next() != end[0]) {
		name, _, ok := strings.Cut(p.text[p.at:], "=")
		if !ok || name == "" || strings.ContainsAny(name, ",{}[]") {
			return nil, p.fail("want name=value")
		}
		p.at += len(name) + 1
		value, err := p.value(end)
		if err != nil {
			return nil, err
		}
		out[strings.TrimSpace(name)] = value
		if p.next() != ',' {
			break
		}
		p.at++
	}
	return out, nil
}

func (p *shorthandParser) value(end string) (any, error) {
	switch p.next() {
	case '{':
		p.at++
		out, err := p.object("}")
		if err == nil && p.next() != '}' {
			err = p.fail("want }")
		}
		p.at++
		return out, err
	case '[':
		p.at++
		if p.depth++; p.depth > maxDepth {
			return nil, p.fail("too deep")
		}
		defer func() { p.depth-- }()
		list := []any{}
		for p.at < len(p.text) && p.next() != ']' {
			v, err := p.value("]")
			if err != nil {
				return nil, err
			}
			list = append(list, v)
			if p.next() != ',' {
				break
			}
			p.at++
		}
		if p.next() != ']' {
			return nil, p.fail("want ]")
		}
		p.at++
		return list, nil
	}
	rest := p.text[p.at:]
	n := strings.IndexAny(rest, ","+end)
	if n < 0 {
		n = len(rest)
	}
	p.at += n
	return strings.TrimSpace(rest[:n]), nil
}
