package engine

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestDeleteObjectsIsDecidedPerKey(t *testing.T) {
	t.Parallel()
	const posture = "version: 1\nbuckets: {\"*\": {\"\": {mode: none}}}\n" +
		"grants: [{id: mine, principals: [app], actions: [\"s3:DeleteObject\"], resources: [\"bucket/mine/*\"]}]\n"
	const body = `<Delete><Object><Key>mine/a&amp;b</Key></Object><Object><Key>yours/c</Key></Object><Object><Key>mine/d</Key><VersionId>v</VersionId></Object></Delete>`
	b := newBed(t, posture)
	b.store.setReply(func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		_, _ = io.WriteString(w, `<?xml version="1.0"?><DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Deleted><Key>mine/a&amp;b</Key></Deleted></DeleteResult>`)
	})
	reply := b.do(b.request(http.MethodPost, "/bucket?delete", body))
	if reply.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", reply.StatusCode, reply.body)
	}
	sent := string(b.store.only(t).body)
	if !strings.Contains(sent, "mine/a&amp;b") || strings.Contains(sent, "yours") || strings.Contains(sent, "mine/d") {
		t.Errorf("the store was asked to delete %s", sent)
	}
	for _, want := range []string{"<Deleted><Key>mine/a&amp;b</Key></Deleted>", "<Key>yours/c</Key><Code>AccessDenied</Code>", "<Key>mine/d</Key><VersionId>v</VersionId><Code>AccessDenied</Code>"} {
		if !strings.Contains(reply.body, want) {
			t.Errorf("reply lacks %s:\n%s", want, reply.body)
		}
	}
	if rec := b.lastRecord(); rec.Keys == nil || rec.Keys.Named != 3 || rec.Keys.Denied != 2 {
		t.Errorf("record counts keys as %+v", rec.Keys)
	}
}

func TestDeleteObjectsAllDenied(t *testing.T) {
	t.Parallel()
	const posture = "version: 1\nbuckets: {\"*\": {\"\": {mode: none}}}\n" +
		"grants: [{id: mine, principals: [app], actions: [\"s3:DeleteObject\"], resources: [\"bucket/mine/*\"]}]\n"
	b := newBed(t, posture)
	reply := b.do(b.request(http.MethodPost, "/bucket?delete", `<Delete><Object><Key>yours</Key></Object></Delete>`))
	if reply.StatusCode != http.StatusOK || !strings.Contains(reply.body, "<Code>AccessDenied</Code>") {
		t.Errorf("got %d %s", reply.StatusCode, reply.body)
	}
	b.store.untouched(t)
	other := b.do(b.request(http.MethodPost, "/elsewhere?delete", `<Delete><Object><Key>x</Key></Object></Delete>`))
	if other.StatusCode != http.StatusForbidden {
		t.Errorf("a bucket without any grant: %d, want 403 before the document is read", other.StatusCode)
	}
	b.store.untouched(t)
}
