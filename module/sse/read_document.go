package sse

import (
	"strings"

	"github.com/sealgate/sealgate/module/s3"
)

func readNothing(*element, *Document) error { return nil }

// readBucketEncryption reads PutBucketEncryption: exactly one rule (S3 answers
// none and two alike).
func readBucketEncryption(root *element, d *Document) error {
	if len(root.children) != 1 {
		return s3.ErrMalformedXML
	}
	rule := root.children[0]
	bucketKey, err := flag(rule.child("BucketKeyEnabled"))
	if err != nil {
		return err
	}
	if d.Blocked, err = blocked(rule.child("BlockedEncryptionTypes")); err != nil {
		return err
	}
	apply := rule.child("ApplyServerSideEncryptionByDefault")
	if apply == nil {
		d.Settings = append(d.Settings, Setting{Path: rule.path, BucketKey: bucketKey})
		return nil
	}
	key, err := keyID(apply.child("KMSMasterKeyID"))
	if err != nil {
		return err
	}
	s := Setting{Path: apply.path, KeyID: key, BucketKey: bucketKey}
	return d.choose(s, apply.child("SSEAlgorithm").value(), apply.name)
}

// blocked reads the kinds of encryption a bucket shall refuse. NONE stands
// alone: with it nothing is refused.
func blocked(list *element) ([]string, error) {
	if list == nil {
		return nil, nil
	}
	var out []string
	for _, e := range list.children {
		switch e.text {
		case "NONE", "SSE-C":
			out = append(out, e.text)
		default:
			return nil, s3.ErrMalformedXML
		}
	}
	if len(out) != 1 {
		return nil, s3.ErrMalformedXML
	}
	return out, nil
}

// readObjectEncryption reads UpdateObjectEncryption, whose only target is
// SSE-KMS under a key named by its full ARN.
func readObjectEncryption(root *element, d *Document) error {
	kms := root.child("SSE-KMS")
	if kms == nil {
		return s3.ErrInvalidRequest.WithMessage("Requests that modify an object encryption configuration require a valid new encryption type. Valid values are SSEKMS.")
	}
	key, err := keyID(kms.child("KMSKeyArn"))
	if err != nil {
		return err
	}
	if k := parseKey(key); k.scope == "" || k.alias {
		return s3.ErrInvalidRequest.WithMessage("Requests that modify an object's encryption type to SSE-KMS require a valid AWS KMS key Amazon Resource Name (ARN).")
	}
	bucketKey, err := flag(kms.child("BucketKeyEnabled"))
	if err != nil {
		return s3.ErrInvalidRequest.WithMessage("The BucketKeyEnabled value isn't valid. Valid values are true or false.")
	}
	d.Settings = append(d.Settings, Setting{Path: kms.path, Mode: KMS, KeyID: key, BucketKey: bucketKey})
	return nil
}

// readReplication reads PutBucketReplication: each rule writes to a bucket, and
// may choose the key of the replicas.
func readReplication(root *element, d *Document) error {
	for _, rule := range root.children {
		to := rule.child("Destination")
		if err := d.writesTo(to.child("Bucket").value()); err != nil {
			return err
		}
		chosen := to.child("EncryptionConfiguration")
		key, err := keyID(chosen.child("ReplicaKmsKeyID"))
		if err != nil {
			return err
		}
		if kms := rule.at("SourceSelectionCriteria", "SseKmsEncryptedObjects"); kms != nil {
			switch kms.child("Status").value() {
			case "Enabled":
				if key == "" {
					return s3.ErrInvalidRequest.WithMessage("ReplicaKmsKeyID must be specified if SseKmsEncryptedObjects tag is present.")
				}
			case "Disabled":
			default:
				return s3.ErrMalformedXML
			}
		}
		if chosen != nil {
			d.Settings = append(d.Settings, Setting{Path: chosen.path, Mode: KMS, KeyID: key})
		}
	}
	return nil
}

// readInventory reads PutBucketInventoryConfiguration.
func readInventory(root *element, d *Document) error {
	to := root.at("Destination", "S3BucketDestination")
	if err := d.writesTo(to.child("Bucket").value()); err != nil {
		return err
	}
	chosen := to.child("Encryption")
	if chosen == nil {
		return nil
	}
	if len(chosen.children) != 1 {
		return s3.ErrMalformedXML
	}
	kms := chosen.child("SSE-KMS")
	if kms == nil {
		d.Settings = append(d.Settings, Setting{Path: chosen.path, Mode: S3})
		return nil
	}
	key, err := keyID(kms.child("KeyId"))
	if err != nil {
		return err
	}
	if key == "" {
		return s3.ErrMalformedXML
	}
	d.Settings = append(d.Settings, Setting{Path: chosen.path, Mode: KMS, KeyID: key})
	return nil
}

// readRestore reads RestoreObject, which writes somewhere only when it selects.
func readRestore(root *element, d *Document) error {
	output := root.child("OutputLocation")
	if output == nil {
		return nil
	}
	to := output.child("S3")
	if err := d.writesTo(to.child("BucketName").value()); err != nil {
		return err
	}
	chosen := to.child("Encryption")
	if chosen == nil {
		return nil
	}
	key, err := keyID(chosen.child("KMSKeyId"))
	if err != nil {
		return err
	}
	s := Setting{Path: chosen.path, KeyID: key}
	if c := chosen.child("KMSContext"); c != nil {
		if s.Context, err = outputContext(c.text); err != nil {
			return invalidHeader(msgContext, "KMSContext", absent).WithCause(err)
		}
	}
	return d.choose(s, chosen.child("EncryptionType").value(), "EncryptionType")
}

// outputContext reads KMSContext. The API reference does not say how it is
// written, so both ways in which S3 writes contexts are taken.
func outputContext(text string) (map[string]string, error) {
	if strings.HasPrefix(text, "{") && len(text) <= maxContext {
		return parseContext([]byte(text))
	}
	return decodeContext(text)
}

// readMetadata reads CreateBucketMetadataConfiguration: up to three tables.
func readMetadata(root *element, d *Document) error {
	for _, table := range root.children {
		if err := readTable(table, d); err != nil {
			return err
		}
	}
	return nil
}

// readTable reads the configuration of one metadata table.
func readTable(table *element, d *Document) error {
	chosen := table.child("EncryptionConfiguration")
	if chosen == nil {
		return nil
	}
	key, err := keyID(chosen.child("KmsKeyArn"))
	if err != nil {
		return err
	}
	algorithm := chosen.child("SseAlgorithm").value()
	if (algorithm != S3.value() && algorithm != KMS.value()) || (algorithm == KMS.value() && key == "") {
		return s3.ErrMalformedXML
	}
	return d.choose(Setting{Path: chosen.path, KeyID: key}, algorithm, chosen.name)
}

func readTableDestination(root *element, d *Document) error {
	return d.writesTo(root.at("S3TablesDestination", "TableBucketArn").value())
}

// readLogging reads PutBucketLogging; without LoggingEnabled it switches
// logging off.
func readLogging(root *element, d *Document) error {
	if on := root.child("LoggingEnabled"); on != nil {
		return d.writesTo(on.child("TargetBucket").value())
	}
	return nil
}

func readAnalytics(root *element, d *Document) error {
	if export := root.at("StorageClassAnalysis", "DataExport"); export != nil {
		return d.writesTo(export.at("Destination", "S3BucketDestination", "Bucket").value())
	}
	return nil
}

// flag reads xsd:boolean in the spelling that S3 and the SDKs use.
func flag(e *element) (*bool, error) {
	if e == nil {
		return nil, nil
	}
	switch e.text {
	case "true", "false":
		on := e.text == "true"
		return &on, nil
	}
	return nil, s3.ErrMalformedXML
}

// keyID reads a key id; an empty element is as good as none.
func keyID(e *element) (string, error) {
	id := e.value()
	if id != "" && !validKeyID(id) {
		return "", s3.ErrMalformedXML
	}
	return id, nil
}
