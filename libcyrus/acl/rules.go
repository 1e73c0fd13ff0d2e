package acl

// Rules is what imapd.conf says about rights.
type Rules struct {
	Text
	// AdminImpliesWrite is acl_admin_implies_write: right a brings s, w,
	// i, t, e and n along.
	AdminImpliesWrite bool
	// ImplicitOwner is implicit_owner_rights: what a user always has on
	// his own mailboxes.
	ImplicitOwner Rights
	// Default is defaultacl: the list of a new mailbox without a parent.
	Default List
	// AnyoneForUsers is anyoneuseracl: users' mailboxes may be given to anyone.
	AnyoneForUsers bool
	// AllowSet is allowsetacl: users may change lists at all.
	AllowSet bool
}

// DefaultRules is what an imapd.conf that says nothing means.
func DefaultRules() Rules {
	return Rules{
		ImplicitOwner:  Lookup | Create | DeleteMailbox | Admin | Annotate,
		Default:        List{{Anyone, "lrs"}},
		AnyoneForUsers: true,
		AllowSet:       true,
	}
}

// writes is what right a implies with acl_admin_implies_write.
const writes = Seen | Write | Insert | DeleteMessage | Expunge | Annotate

// Listed is what the list gives who, with acl_admin_implies_write.
func (s Rules) Listed(l List, who Identity) Rights {
	r := s.Granted(l, who)
	if s.AdminImpliesWrite && r.Has(Admin) {
		var take Rights
		for _, e := range l {
			if e.ID != "" && e.ID[0] == '-' && who.Is(e.ID[1:]) {
				x, _ := s.Parse(e.Rights)
				take |= x
			}
		}
		r |= writes &^ take
	}
	return r
}

// Rights is all that who may do: what the list gives, and l and a for an
// admin, or the implicit rights for the owner.
//
// Source: cmd_myrights in Cyrus imap/imapd.c.
func (s Rules) Rights(l List, who Identity, owner bool) Rights {
	r := s.Listed(l, who)
	switch {
	case who.Admin:
		r |= Lookup | Admin
	case owner:
		r |= s.ImplicitOwner
	}
	return r
}
