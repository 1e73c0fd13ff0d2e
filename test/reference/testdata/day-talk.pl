# A day's work with Mail::IMAPTalk; see clients_day_test.go.
use strict;
use warnings;
use Mail::IMAPTalk;

my ($host, $port, $user) = @ARGV;
$| = 1;
my $m = Mail::IMAPTalk->new(Server => $host, Port => $port, Username => $user, Password => 'pass', Uid => 0, PreserveINBOX => 1)
    or die "log-in: $@";

sub ok {
    my ($what, $got) = @_;
    die "$what: " . $m->get_last_error() unless $got;
    return $got;
}

die "no QRESYNC" unless $m->capability()->{qresync};
my $folder = ok(list => $m->list('', '*'));    # of one it is not a list of lists
die 'LIST' unless $folder->[2] eq 'INBOX';
ok(create => $m->create('INBOX/Day'));
ok(create => $m->create('INBOX/Gone'));
ok(subscribe => $m->subscribe('INBOX/Day'));
my $made = "From: you\@example.org\r\nSubject: made\r\nMessage-ID: <made\@example.org>\r\n\r\nWritten today\r\n";
ok(append => $m->append('INBOX/Day', '(\Seen \Flagged)', { Literal => $made }));
ok(select => $m->select('INBOX'));
die "EXISTS" unless $m->get_response_code('exists') == 5;
my $all = ok(fetch => $m->fetch('1:*', '(uid flags envelope bodystructure rfc822.size)'));
die "ENVELOPE" unless $all->{2}{envelope}{Subject} eq 'm2' && $all->{2}{bodystructure}{'MIME-Subtype'} eq 'plain';
my $text = ok(fetch => $m->fetch(1, 'body[]'))->{1}{body};
die "BODY: $text" unless $text =~ /Text of message 1\r\n$/;
my $found = ok(search => $m->search('subject', { Quote => 'm3' }));
$found = $found->[0] if ref $found;
die "SEARCH: $found" unless $found eq '3';
ok(store => $m->store(3, '+flags', '(\Flagged \Answered)'));
ok(sort => $m->sort('(subject)', 'utf-8', 'all'));
ok(thread => $m->thread('references', 'utf-8', 'all'));
ok(copy => $m->copy(1, 'INBOX/Day'));
ok(move => $m->_imap_cmd('move', 1, '', 2, { Quote => 'INBOX/Day' }));
ok(store => $m->store(3, '+flags', '(\Deleted)'));    # m4, now the third
ok(expunge => $m->expunge());
my $status = ok(status => $m->status('INBOX/Day', '(messages unseen uidnext)'));
die "STATUS" unless $status->{messages} == 3;
ok(namespace => $m->namespace());
ok(acl => $m->getacl('INBOX'));
print "new mail?\n";
my $seen = 0;
for (1 .. 600) {
    ok(noop => $m->noop());
    last if $seen = ($m->get_response_code('exists') || 0) == 4;
    select(undef, undef, undef, 0.1);
}
die "no new mail" unless $seen;
ok(unselect => $m->unselect());
ok(delete => $m->delete('INBOX/Gone'));
$m->logout();
