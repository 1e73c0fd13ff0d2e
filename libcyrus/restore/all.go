package restore

import (
	"context"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/duplicate"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/userdeny"
)

// All brings back everything, usually into a site that is empty: all
// mailboxes, those that wait for their final deletion too, what users have,
// quota limits, annotations of the server, which mails were delivered, who is
// denied, the accounts of "cyrus passwd" and the messages of the day.
func (r *Run) All(ctx context.Context) error {
	from := r.o.From.Site
	if err := r.limits(ctx, "", ""); err != nil {
		return err
	}
	var all []*want
	src := r.sources()[0]
	err := from.List.Scan(ctx, "", func(e *mboxlist.Entry) (bool, error) {
		if e.Exists() && !e.Has(mboxlist.Remote) {
			all = append(all, &want{src: src, entry: e, to: e.Name, acl: e.ACL})
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	for i, w := range all {
		if err := r.box(ctx, w, nil); err != nil {
			return err
		}
		if r.o.Progress != nil {
			r.o.Progress(i+1, len(all))
		}
	}
	if r.o.DryRun {
		return nil
	}
	users, err := r.allUsers(ctx)
	if err != nil {
		return err
	}
	for _, u := range users {
		if err := r.personal(ctx, u, u); err != nil {
			return err
		}
	}
	if err := r.server(ctx); err != nil {
		return err
	}
	return r.recount(ctx)
}

// server brings back what belongs to no mailbox and no user.
func (r *Run) server(ctx context.Context) error {
	from, to := r.o.From.Site, r.site
	err := from.Annot.Each(ctx, annot.Scope{}, func(k annot.Key, data []byte) error {
		if _, ok, err := to.Annot.Get(ctx, annot.Scope{}, k); ok || err != nil {
			return err
		}
		_, err := to.Annot.Set(ctx, annot.Scope{}, k, append([]byte{}, data...))
		return err
	})
	if err != nil {
		return err
	}
	err = from.UserDeny.Each(ctx, func(user string, e userdeny.Entry) error {
		if _, ok, err := to.UserDeny.Get(ctx, user); ok || err != nil {
			return err
		}
		return to.UserDeny.Set(ctx, user, e)
	})
	if err != nil {
		return err
	}
	if err := r.deliveries(ctx); err != nil {
		return err
	}
	if err := r.tree(from.Layout.ConfigDir+"/msg", to.Layout.ConfigDir+"/msg"); err != nil {
		return err
	}
	if err := r.tree(from.Layout.SieveDir+"/global", to.Layout.SieveDir+"/global"); err != nil {
		return err
	}
	accounts := to.Layout.ConfigDir + "/accounts"
	if _, err := to.FS.Stat(accounts); err == nil {
		return nil
	}
	if _, err := to.FS.Stat(from.Layout.ConfigDir + "/accounts"); err != nil {
		return nil
	}
	return disk.Error("restore", accounts, r.file(from.Layout.ConfigDir+"/accounts", accounts))
}

// deliveries brings back the marks of delivered mails, many at a time.
func (r *Run) deliveries(ctx context.Context) error {
	var keys []duplicate.Key
	var marks []duplicate.Mark
	flush := func() error {
		err := r.site.Duplicate.MarkAll(ctx, keys, marks)
		keys, marks = nil, nil
		return err
	}
	const many = 500
	err := r.o.From.Site.Duplicate.Each(ctx, func(k duplicate.Key, m duplicate.Mark) error {
		if id, ok := r.ids[k.To]; ok {
			k.To = id
		}
		if _, there, err := r.site.Duplicate.Check(ctx, k); there || err != nil {
			return err
		}
		keys, marks = append(keys, k), append(marks, m)
		if len(keys) < many {
			return nil
		}
		return flush()
	})
	if err == nil && len(keys) > 0 {
		err = flush()
	}
	return err
}
