// Package config turns the environment and the flags of serve into one
// validated [Config]. It is the only place that reads the environment.
//
// The settings are one table ([Settings]): environment name, default, meaning,
// and how the value becomes part of the Config. The flag of a setting is its
// name without STRAIT_, in lower case with dashes; a secret has no flag, but a
// …_FILE form, whose flag takes the file's path. docs/configuration.md is
// compared with the table by a test.
//
// It imports package exchange for [exchange.Secret] alone.
package config
