package scenario_test

func keepTable() []scenario    { return nil }
func faultTable() []scenario   { return nil }
func dataTable() []scenario    { return nil }
