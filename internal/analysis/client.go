package analysis

func clientRules() []Rule {
	return []Rule{{
		Code: "client-without-policy", Severity: Warning, Title: "A client that can do nothing",
		Why:   "A credential that is of no use is still one to lose, and gains a use when a policy names it (RFC 9700 §2.5).",
		check: (*inspection).idleClients,
	}}
}

func (in *inspection) idleClients() {
	named := map[string]bool{}
	for _, p := range in.enforced() {
		for _, client := range p.Spec.Clients {
			named[client] = true
		}
	}
	for _, c := range in.Clients() {
		if !named[c.Metadata.Name] && c.Alive(c.Spec.Mode, in.Now) {
			in.find(c.Object, "", "no enforced policy names the client").fix("write the policy that it is for, or delete it")
		}
	}
}
