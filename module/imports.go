package module

import (
	_ "github.com/sealgate/sealgate/module/cli"
	_ "github.com/sealgate/sealgate/module/gateway"
)
