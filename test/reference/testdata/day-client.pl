# A day's work with Mail::IMAPClient; see clients_day_test.go.
use strict;
use warnings;
use Mail::IMAPClient;

my ($host, $port, $user) = @ARGV;
$| = 1;
my $m = Mail::IMAPClient->new(Server => $host, Port => $port, User => $user, Password => 'pass', Uid => 1, Peek => 1)
    or die "log-in: $@";

sub ok {
    my ($what, $got) = @_;
    die "$what: " . $m->LastError unless defined $got;
    return $got;
}

die "LIST" unless grep { $_ eq 'INBOX' } $m->folders;
die "separator" unless $m->separator eq '/';
ok(create => $m->create('INBOX/Day'));
ok(create => $m->create('INBOX/Gone'));
ok(subscribe => $m->subscribe('INBOX/Day'));
my $made = "From: you\@example.org\r\nSubject: made\r\nMessage-ID: <made\@example.org>\r\n\r\nWritten today\r\n";
ok(append => $m->append_string('INBOX/Day', $made, '\Seen \Flagged', '02-Nov-2026 10:00:00 +0000'));
ok(select => $m->select('INBOX'));
die "messages" unless "@{[$m->messages]}" eq '1 2 3 4 5';
my $text = ok(fetch => $m->message_string(1));
die "BODY: $text" unless $text =~ /Text of message 1\r\n$/;
die "headers" unless $m->parse_headers(2, 'Subject')->{Subject}[0] eq 'm2';
die "envelope" unless $m->get_envelope(2)->subject eq 'm2';
die "structure" unless $m->get_bodystructure(2)->bodysubtype =~ /plain/i;
my @found = $m->search(SUBJECT => $m->Quote('m3'));
die "SEARCH: @found" unless "@found" eq '3';
ok(store => $m->store(3, '+FLAGS', '(\Flagged \Answered)'));
die "flags" unless grep { $_ eq '\Flagged' } $m->flags(3);
die "sort" unless "@{[$m->sort('REVERSE DATE', 'UTF-8', 'ALL')]}" eq '5 4 3 2 1';
ok(copy => $m->copy('INBOX/Day', 1));
ok(move => $m->move('INBOX/Day', 2));
ok(delete => $m->delete_message(4));
ok(expunge => $m->expunge);
die "count" unless $m->message_count('INBOX/Day') == 3;
my $tag = ok(idle => $m->idle);
print "new mail?\n";
my $seen = 0;
for (1 .. 600) {
    my $lines = $m->idle_data(0.1) or die "IDLE: " . $m->LastError;
    last if $seen = grep { /^\* 4 EXISTS/ } @$lines;
}
die "no new mail" unless $seen;
ok(done => $m->done($tag));
ok(close => $m->close);
ok(delete => $m->delete('INBOX/Gone'));
ok(quota => $m->getquotaroot('INBOX'));
$m->logout;
