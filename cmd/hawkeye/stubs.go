package main

type previewCmd struct{}

func (previewCmd) Run(c *console) error { return nil }

type schemaCmd struct{}

func (schemaCmd) Run(c *console) error { return nil }

type upgradeCmd struct{}

func (upgradeCmd) Run(c *console) error { return nil }
