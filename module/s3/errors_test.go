package s3

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
)

func TestErrorDocument(t *testing.T) {
	t.Parallel()
	const header = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"
	for _, c := range []struct {
		name  string
		err   *Error
		reply Reply
		want  string
	}{
		{"bare", ErrAccessDenied, Reply{}, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"},
		{
			"full", ErrAccessDenied.WithMessage("No.").With("RuleId", "ENC-001").With("RuleId", "GRT-000"),
			Reply{RequestID: "ID1", HostID: "H", Resource: "/b/a b", Method: "PUT"},
			"<Error><Code>AccessDenied</Code><Message>No.</Message><RuleId>ENC-001</RuleId><RuleId>GRT-000</RuleId>" +
				"<Resource>/b/a b</Resource><RequestId>ID1</RequestId><HostId>H</HostId></Error>",
		},
		{
			"escaping", ErrInvalidArgument.With("ArgumentValue", "<a&\"b'>\r\n\t\x00\x1b\xff]]>"), Reply{},
			"<Error><Code>InvalidArgument</Code><Message>Invalid Argument</Message>" +
				"<ArgumentValue>&lt;a&amp;&#34;b&#39;&gt;&#xD;&#xA;&#x9;\uFFFD\uFFFD\uFFFD]]&gt;</ArgumentValue></Error>",
		},
		{"cause is not shown", ErrInternalError.WithCause(errors.New("disk secret")), Reply{},
			"<Error><Code>InternalError</Code><Message>We encountered an internal error. Please try again.</Message></Error>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			w.Header().Set("Etag", `"x"`)
			w.Header().Set("Content-Encoding", "gzip")
			WriteError(w, c.err, c.reply)
			if got := w.Body.String(); got != header+c.want {
				t.Errorf("got  %s\nwant %s", got, header+c.want)
			}
			h := w.Result().Header
			if w.Code != c.err.Status || h.Get("Content-Type") != "application/xml" ||
				h.Get("Content-Length") != strconv.Itoa(w.Body.Len()) || h.Get("Etag") != "" || h.Get("Content-Encoding") != "" {
				t.Errorf("got %d with %v", w.Code, h)
			}
			if h.Get("X-Amz-Request-Id") != c.reply.RequestID || h.Get("X-Amz-Id-2") != c.reply.HostID {
				t.Errorf("got ids %q and %q", h.Get("X-Amz-Request-Id"), h.Get("X-Amz-Id-2"))
			}
		})
	}
}

func TestErrorWithoutBody(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err   *Error
		reply Reply
	}{
		"HEAD": {ErrNoSuchKey, Reply{Method: "HEAD", RequestID: "1"}},
		"304":  {NewError("NotModified", http.StatusNotModified, "Not Modified"), Reply{Method: "GET", RequestID: "1"}},
		"204":  {NewError("NoContent", http.StatusNoContent, ""), Reply{Method: "GET", RequestID: "1"}},
	} {
		w := httptest.NewRecorder()
		WriteError(w, c.err, c.reply)
		if w.Body.Len() != 0 || w.Code != c.err.Status || w.Header().Get("Content-Length") != "" || w.Header().Get("X-Amz-Request-Id") != "1" {
			t.Errorf("%s: got %d, %d bytes, %v", name, w.Code, w.Body.Len(), w.Header())
		}
	}
}

func TestErrorsAreImmutable(t *testing.T) {
	t.Parallel()
	base := ErrInvalidArgument.With("X", "").With("Y", "").With("A", "1") // three leave room for a fourth
	one, two := base.With("B", "2"), base.With("C", "3")
	if len(base.Details) != 3 || one.Details[3].Name != "B" || two.Details[3].Name != "C" {
		t.Errorf("details are shared: %v %v %v", base, one, two)
	}
	_ = base.WithMessage("other").WithCause(errors.New("x")).Messagef("%d", 1)
	if base.Message != "Invalid Argument" || base.Unwrap() != nil || len(ErrInvalidArgument.Details) != 0 {
		t.Error("a With method changed its receiver")
	}
}

func TestErrorIdentity(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	err := fmt.Errorf("reading: %w", ErrNoSuchKey.WithMessage("other").WithCause(cause))
	if !errors.Is(err, ErrNoSuchKey) || errors.Is(err, ErrNoSuchBucket) || !errors.Is(err, cause) {
		t.Error("errors.Is does not compare codes and causes")
	}
	if got := AsError(err); got.Code != "NoSuchKey" {
		t.Errorf("AsError gives %v", got)
	}
	if got := AsError(cause); !errors.Is(got, ErrInternalError) || !errors.Is(got, cause) {
		t.Errorf("AsError of another error gives %v", got)
	}
	if AsError(nil) != nil {
		t.Error("AsError(nil) is not nil")
	}
	if got := ErrSlowDown.WithCause(cause).Error(); got != "SlowDown: Please reduce your request rate.: cause" {
		t.Errorf("got %q", got)
	}
}

// TestEveryCodeHasASentinel keeps the map and the variables in step.
func TestEveryCodeHasASentinel(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "error_table.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if id, ok := call.Fun.(*ast.Ident); ok && id.Name == "sentinel" {
				code, _ := strconv.Unquote(call.Args[0].(*ast.BasicLit).Value)
				found[code] = true
			}
		}
		return true
	})
	for code, e := range errorTable {
		if !found[code] {
			t.Errorf("%s has no variable", code)
		}
		if e.message == "" || e.status < 300 {
			t.Errorf("%s: status %d, message %q", code, e.status, e.message)
		}
	}
	if len(found) != len(errorTable) {
		t.Errorf("%d variables for %d codes", len(found), len(errorTable))
	}
}
