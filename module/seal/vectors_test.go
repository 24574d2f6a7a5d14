package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// A committed vector is never changed: a new version of the format gets new
// files, and these stay readable.
var generate = flag.Bool("generate-vectors", false, "write the vectors of testdata/vectors that do not exist yet; none is overwritten")

const vectorDir = "testdata/vectors"

// vector is a file of testdata/vectors: a sealed object with all it takes to
// open it. Bytes are in hexadecimal.
type vector struct {
	Name       string `json:"name"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace"`
	Key        string `json:"key"`
	KEK        string `json:"kek"`      // of the local wrap
	DataKey    string `json:"data_key"` // what the wrap holds
	Envelope   string `json:"envelope"`
	Stored     string `json:"stored,omitempty"` // file with the stored bytes, or Seed
	Seed       uint64 `json:"seed,omitempty"`   // makes the stored bytes: see fromSeed
	PartLength int64  `json:"part_length,omitempty"`
	StoredSize int64  `json:"stored_size"`
	StoredHash string `json:"stored_sha256"`
	Parts      int    `json:"parts"` // stored, a closing part included; 0 for a single object
	PlainSize  int64  `json:"plaintext_size"`
	PlainHash  string `json:"plaintext_sha256"`
	Range      struct {
		Offset int64 `json:"offset"`
		Length int64 `json:"length"`
	} `json:"range"` // of the plaintext
	RangeHash   string `json:"range_sha256"`
	UploadID    string `json:"upload_id,omitempty"`
	StoreUpload string `json:"store_upload_id,omitempty"`
}

func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVectors(t *testing.T) {
	t.Parallel()
	if *generate {
		generateVectors(t)
	}
	files, err := filepath.Glob(filepath.Join(vectorDir, "*.json"))
	if err != nil || len(files) != len(vectorPlans) {
		t.Fatalf("%d vectors of %d, %v", len(files), len(vectorPlans), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var v vector
			if err := json.Unmarshal(raw, &v); err != nil {
				t.Fatal(err)
			}
			v.check(t)
		})
	}
}

// check opens a vector the way the gateway opens an object.
func (v *vector) check(t *testing.T) {
	e, err := ParseEnvelope(v.Envelope)
	if err != nil {
		t.Fatal(err)
	}
	key, err := localUnwrap(t, unhex(t, v.KEK), e, bind(t, e, v.Namespace, v.Key))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(key.Reveal(), unhex(t, v.DataKey)) {
		t.Error("another data key")
	}
	o, err := Unlock(e, key)
	if err != nil {
		t.Fatal(err)
	}
	var stored []byte
	if v.Stored != "" {
		if stored, err = os.ReadFile(filepath.Join(vectorDir, v.Stored)); err != nil {
			t.Fatal(err)
		}
	} else {
		stored = fromSeed(t, e, key, v.Seed, v.PartLength)
	}
	if int64(len(stored)) != v.StoredSize || hashOf(stored) != v.StoredHash {
		t.Fatalf("%d stored bytes are not those of the vector", len(stored))
	}
	var plain []byte
	var layout *Layout
	if e.Kind == Multipart {
		plain, err = openAll(o.OpenMultipart(bytes.NewReader(stored), v.StoredSize, v.Parts))
	} else {
		plain, err = openSingle(o, stored)
	}
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(plain)) != v.PlainSize || hashOf(plain) != v.PlainHash {
		t.Errorf("%d bytes of plaintext are not those of the vector", len(plain))
	}
	if layout, err = SingleLayout(v.StoredSize); e.Kind == Multipart {
		layout, err = walk(o, stored)
	}
	if err != nil {
		t.Fatal(err)
	}
	if v.Range.Length > 0 {
		got, err := openRange(o, layout, stored, Extent(v.Range))
		if err != nil || hashOf(got) != v.RangeHash {
			t.Errorf("range: %d bytes, %v", len(got), err)
		}
	}
	if v.UploadID != "" {
		if got, err := openUpload(o, v.UploadID); err != nil || got != v.StoreUpload {
			t.Errorf("upload id: %q, %v", got, err)
		}
	}
}

// fromSeed seals a final part number 1 with bytes that are the same in every
// run. It is written from FORMAT.md and uses nothing of the package: salt,
// nonces and plaintext come from the seed.
func fromSeed(t testing.TB, e Envelope, key DataKey, seed uint64, length int64) []byte {
	t.Helper()
	prk, err := hkdf.Extract(sha256.New, key.Reveal(), e.OID[:])
	if err != nil {
		t.Fatal(err)
	}
	header := []byte{0x89, 'S', 'G', 'T', 3, 1, 0, 1}
	for shift := 56; shift >= 0; shift -= 8 {
		header = append(header, byte(length>>shift))
	}
	header = append(header, pattern(32, seed+1)...)
	derived, err := hkdf.Expand(sha256.New, prk, "sealgate/1 part"+string(header), 48)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(derived[:32])
	if err != nil {
		t.Fatal(err)
	}
	size := int64(65536)
	if length > 33_554_432 {
		size *= (length + 33_554_431) / 33_554_432
	}
	plain, count := pattern(length, seed), (length+size-1)/size
	nonces := pattern(12*count, seed+2)
	stored := append(header, derived[32:]...)
	// FIPS mode does not let a caller choose nonces, which only a vector may.
	fips140.WithoutEnforcement(func() {
		gcm, err := cipher.NewGCM(block)
		if err != nil {
			t.Fatal(err)
		}
		for i := range count {
			last := byte(0)
			if i == count-1 {
				last = 1
			}
			nonce := nonces[12*i:][:12]
			stored = append(stored, nonce...)
			stored = gcm.Seal(stored, nonce, plain[i*size:min((i+1)*size, length)], []byte{0, 0, byte(i >> 8), byte(i), last})
		}
	})
	return append(stored, make([]byte, length+14416-int64(len(stored)))...)
}

// vectorPlans says what is sealed. Seed 0 means random nonces and a file.
var vectorPlans = []struct {
	name    string
	kind    Kind
	sizes   []int64
	numbers []int
	closed  bool
	seed    uint64
}{
	{name: "single_empty", kind: Single, sizes: []int64{0}},
	{name: "single_short", kind: Single, sizes: []int64{100}},
	{name: "single_two_chunks", kind: Single, sizes: []int64{minChunk + 1}},
	{name: "multipart_empty", kind: Multipart, sizes: []int64{0}, numbers: []int{1}},
	{name: "multipart_final", kind: Multipart, sizes: []int64{minChunk + 10, 3000, 7}, numbers: []int{1, 2, 3}},
	{name: "multipart_closed_gaps", kind: Multipart, sizes: []int64{500, 1, 2000}, numbers: []int{3, 4, 9000}, closed: true},
	{name: "multipart_large_chunks", kind: Multipart, sizes: []int64{2*chunkStep + 1}, numbers: []int{1}, seed: 7},
}

func generateVectors(t *testing.T) {
	for _, plan := range vectorPlans {
		file := filepath.Join(vectorDir, plan.name+".json")
		if _, err := os.Stat(file); err == nil {
			t.Logf("%s exists and is left as it is", file)
			continue
		}
		e, key := New(plan.kind)
		kek := randomBytes(t, 32)
		v := vector{Name: plan.name, Kind: plan.kind.String(), Namespace: "bucket", Key: "ordner/grün " + plan.name,
			KEK: hex.EncodeToString(kek), DataKey: hex.EncodeToString(key.Reveal())}
		e.Wrap, e.KEK = WrapLocal, [8]byte(randomBytes(t, 8))
		e.Wrapped = localWrap(t, kek, e, key, bind(t, e, v.Namespace, v.Key))
		v.Envelope = encode(t, e)
		o, err := Unlock(e, key)
		if err != nil {
			t.Fatal(err)
		}
		var plain, stored []byte
		var list []Part
		for i, size := range plan.sizes {
			content := pattern(size, plan.seed+uint64(i))
			plain = append(plain, content...)
			switch {
			case plan.kind == Single:
				stored = sealSingle(t, o, content)
				continue
			case plan.seed != 0:
				v.Seed, v.PartLength = plan.seed, size
				stored = fromSeed(t, e, key, plan.seed, size)
			default:
				p := Part{Number: plan.numbers[i], Length: size, Final: !plan.closed && i == len(plan.sizes)-1}
				stored = append(stored, sealPart(t, o, p, content)...)
				list = append(list, p)
			}
			v.Parts++
		}
		if plan.closed {
			closing, err := o.ClosingPart(list[len(list)-1].Number+1, list)
			if err != nil {
				t.Fatal(err)
			}
			stored = append(stored, closing...)
			v.Parts++
		}
		if plan.kind == Multipart {
			v.StoreUpload = "upload of " + plan.name
			if v.UploadID, err = o.SealUploadID(v.StoreUpload); err != nil {
				t.Fatal(err)
			}
		}
		v.StoredSize, v.StoredHash = int64(len(stored)), hashOf(stored)
		v.PlainSize, v.PlainHash = int64(len(plain)), hashOf(plain)
		if n := v.PlainSize; n > 0 {
			v.Range.Offset, v.Range.Length = n/3, n-n/3-n/10
			v.RangeHash = hashOf(plain[v.Range.Offset:Extent(v.Range).End()])
		}
		if plan.seed == 0 {
			v.Stored = plan.name + ".bin"
			create(t, v.Stored, stored)
		}
		raw, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		create(t, plan.name+".json", append(raw, '\n'))
	}
}

// create writes a file that must not exist.
func create(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(vectorDir, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(vectorDir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := fmt.Fprintf(f, "%s", content); err != nil {
		t.Fatal(err)
	}
}
