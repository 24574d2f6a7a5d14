package module

import (
	_ "github.com/sealgate/sealgate/module/cli"
	_ "github.com/sealgate/sealgate/module/gateway"
	_ "github.com/sealgate/sealgate/module/keyring/awskms"
	_ "github.com/sealgate/sealgate/module/keyring/local"
	_ "github.com/sealgate/sealgate/module/keyring/vault"
)
