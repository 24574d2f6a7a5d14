package sealgate.rules.residency_test

import data.sealgate.lib.testing
import data.sealgate.rules.residency

findings(request, regions) := found if {
	found := testing.ids(residency.deny) with input as object.union(request, {"posture": {"residency": regions}})
}

test_everywhere_passes_by_default if findings(testing.base, []) == set()

test_region_of_the_list_passes if findings(testing.base, ["eu-west-1", "eu-central-1"]) == set()

test_other_region_is_denied if findings(testing.base, ["eu-west-1"]) == {"RES-001"}

test_the_whole_name_counts if findings(testing.base, ["eu-central-11", "eu-central"]) == {"RES-001"}

test_reading_passes if findings(testing.get, ["eu-west-1"]) == set()

replication := testing.with_fields({"request": {"operation": "PutBucketReplication", "class": "bucket-config"}})

test_replication_is_denied if findings(replication, ["eu-central-1"]) == {"RES-002"}

test_replication_passes_by_default if findings(replication, []) == set()

test_other_documents_pass if {
	findings(testing.with_fields({"request": {"operation": "PutBucketTagging", "class": "bucket-config"}}), ["x"]) == set()
}
