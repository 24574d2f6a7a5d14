package awscli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sealgate/sealgate/module/cli/trial"
)

// DefaultSize is how large files are that are not there, in bytes.
const DefaultSize = 1024

// Defaults are what a command line leaves open.
type Defaults struct {
	// Size gives the size of a local file in bytes; nil or a negative result stand for
	// DefaultSize.
	Size func(file string) int64
	// Read gives the content of a local file, for parameters written file://name; nil
	// where they are not accepted.
	Read func(file string) ([]byte, error)
}

// Command is what a command line sends.
type Command struct {
	Requests []trial.Request
	// Anonymous is set by --no-sign-request, Region by --region.
	Anonymous bool
	Region    string
	// Notes say what was assumed.
	Notes []string
}

// UsageError says what is wrong with a command line.
type UsageError struct{ Problem string }

// Error returns the problem.
func (e *UsageError) Error() string { return e.Problem }

func usagef(format string, args ...any) error { return &UsageError{fmt.Sprintf(format, args...)} }

// Parse reads a command line, with or without the leading word "aws". Its words are
// parted as a shell parts them; variables and patterns are not expanded.
func Parse(line string, d Defaults) (*Command, error) {
	words, err := split(line)
	if err != nil {
		return nil, err
	}
	if len(words) > 0 && words[0] == "aws" {
		words = words[1:]
	}
	a := &arguments{defaults: d, values: map[string]string{}}
	if words, err = a.global(words); err != nil {
		return nil, err
	}
	if len(words) < 2 {
		return nil, usagef("an aws command has a service and an operation, such as \"s3 cp\" or \"s3api put-object\"")
	}
	service, operation := words[0], words[1]
	var table map[string]command
	switch service {
	case "s3":
		table = high
	case "s3api":
		table = low
	default:
		return nil, usagef("aws %s: only s3 and s3api are understood", service)
	}
	c, ok := table[operation]
	if !ok {
		return nil, usagef("aws %s %s is not understood; there are: %s", service, operation, strings.Join(operations(table), ", "))
	}
	a.name = "aws " + service + " " + operation
	if err := a.parse(words[2:], c.options); err != nil {
		return nil, err
	}
	out := &Command{Anonymous: a.flag("no-sign-request"), Region: a.values["region"]}
	out.Requests, err = c.requests(a)
	out.Notes = a.notes
	return out, err
}

// command is one operation: its options, "name" for one with a value, "name!" for one
// without and "name?" for one whose value may be left out; and what it sends.
type command struct {
	options  []string
	requests func(*arguments) ([]trial.Request, error)
}

func operations(table map[string]command) []string {
	var out []string
	for name := range table {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// globals are the options every command takes. Few change what is sent.
var globals = []string{
	"region", "profile", "endpoint-url", "output", "query", "color", "ca-bundle", "cli-read-timeout", "cli-connect-timeout",
	"no-sign-request!", "no-verify-ssl!", "no-paginate!", "debug!", "no-cli-pager!", "no-cli-auto-prompt!",
}

// arguments is a command line taken apart.
type arguments struct {
	name     string
	defaults Defaults
	words    []string          // that are no options
	values   map[string]string // of options, without dashes; "true" for one without
	notes    []string
}

func (a *arguments) flag(name string) bool { return a.values[name] == "true" }

func (a *arguments) has(name string) bool { _, ok := a.values[name]; return ok }

func (a *arguments) note(format string, args ...any) {
	a.notes = append(a.notes, fmt.Sprintf(format, args...))
}

// global takes options off that stand before the service.
func (a *arguments) global(words []string) ([]string, error) {
	n := 0
	for n < len(words) && strings.HasPrefix(words[n], "--") {
		n++
		if n < len(words) && !strings.HasPrefix(words[n], "--") && !strings.Contains(words[n-1], "=") && takesValue(globals, words[n-1][2:]) {
			n++
		}
	}
	return words[n:], a.parse(words[:n], nil)
}

func takesValue(options []string, name string) bool { return slices.Contains(options, name) }

// parse reads words and options.
func (a *arguments) parse(words []string, options []string) error {
	options = append(slices.Clone(options), globals...)
	var unknown []string
	for i := 0; i < len(words); i++ {
		name, isOption := strings.CutPrefix(words[i], "--")
		if !isOption || name == "" {
			a.words = append(a.words, words[i])
			continue
		}
		name, value, given := strings.Cut(name, "=")
		next := i+1 < len(words) && (!strings.HasPrefix(words[i+1], "--"))
		switch {
		case slices.Contains(options, name+"!"):
			if given {
				return usagef("%s: --%s takes no value", a.name, name)
			}
			a.values[name] = "true"
		case slices.Contains(options, name+"?"):
			if !given && next && isMode(words[i+1]) {
				i++
				value = words[i]
			}
			a.values[name] = value
		case slices.Contains(options, name):
			if !given {
				if !next {
					return usagef("%s: --%s needs a value", a.name, name)
				}
				i++
				value = words[i]
			}
			a.values[name] = value
		default:
			unknown = append(unknown, "--"+name)
			if !given && next {
				i++ // most likely its value
			}
		}
	}
	if len(unknown) > 0 {
		return usagef("%s: unknown option %s", a.name, strings.Join(unknown, ", "))
	}
	return nil
}

// isMode reports a value of --sse and --sse-c, which may be left out.
func isMode(word string) bool {
	return slices.Contains([]string{"AES256", "aws:kms", "aws:kms:dsse"}, word)
}

var errQuote = errors.New("a quote is not closed")

// split parts a line into words as a shell does.
func split(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	started := false
	var quote rune
	escaped := false
	for _, c := range line {
		switch {
		case escaped:
			word.WriteRune(c)
			escaped = false
		case quote == '\'' && c != '\'', quote == '"' && c != '"' && c != '\\':
			word.WriteRune(c)
		case quote != 0 && c == quote:
			quote = 0
		case c == '\\':
			escaped, started = true, true
		case c == '\'' || c == '"':
			quote, started = c, true
		case c == ' ' || c == '\t' || c == '\n':
			if started {
				words = append(words, word.String())
			}
			word.Reset()
			started = false
		default:
			word.WriteRune(c)
			started = true
		}
	}
	if quote != 0 || escaped {
		return nil, &UsageError{errQuote.Error()}
	}
	if started {
		words = append(words, word.String())
	}
	return words, nil
}
