package scenario_test

import "context"

func addressTable() []scenario {
	return []scenario{}
}

var _ context.Context
