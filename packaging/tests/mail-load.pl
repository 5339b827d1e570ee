#!/usr/bin/perl
# Mail for a Postfix on this machine while its milter is restarted, in a system with no more than perl-base.
#
#   mail-load.pl send CLIENT   sends messages to ann, one after the other and each by a connection of its own,
#                              until there is /root/stop or one is refused; what was said of each goes to
#                              /root/load.CLIENT
#   mail-load.pl accepted      how many were accepted so far
#   mail-load.pl check HEADER  fails unless each message was accepted, and is in /var/mail/ann once and with
#                              one such header
use strict;
use warnings;
use IO::Socket::INET;

sub said {
    my @lines = map { open my $file, '<', $_ or die "$_: $!"; <$file> } glob '/root/load.*';
    return map { [split / /, $_, 3] } grep { /\n\z/ } @lines;
}

# The last reply to these lines, and whether it was as it should be.
sub dialogue {
    my ($name) = @_;
    my $smtp = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => 25, Timeout => 60)
        or return "no connection: $!";
    my $message = "From: ann\@a.example\r\nSubject: $name\r\nX-Number: $name\r\n\r\nhello\r\n.";
    my @steps = (undef, 'HELO localhost', 'MAIL FROM:<ann@a.example>', 'RCPT TO:<ann@b.example>', 'DATA', $message, 'QUIT');
    for my $step (@steps) {
        print $smtp "$step\r\n" if defined $step;
        my $reply = <$smtp>;
        return 'the connection was closed' unless defined $reply;
        $reply =~ s/\s+\z//;
        return $reply unless $reply =~ /^[23]\d\d /;
    }
    return undef;
}

my ($task, $argument) = @ARGV;
if ($task eq 'send') {
    open my $log, '>', "/root/load.$argument" or die "$!";
    $log->autoflush;
    for (my $n = 0; !-e '/root/stop'; $n++) {
        my $refusal = dialogue("$argument-$n");
        print $log defined $refusal ? "refused $argument-$n $refusal\n" : "accepted $argument-$n .\n";
        last if defined $refusal;
    }
} elsif ($task eq 'accepted') {
    print scalar(grep { $_->[0] eq 'accepted' } said()), "\n";
} elsif ($task eq 'check') {
    my (%found, @wrong);
    open my $mail, '<', '/var/mail/ann' or die "/var/mail/ann: $!";
    for my $message (split /^(?=From )/m, do { local $/; <$mail> }) {
        my ($number) = $message =~ /^X-Number: (\S+)/m;
        my $headers = () = $message =~ /^\Q$argument\E: /mg;
        $found{$number}++;
        push @wrong, "$number has $headers $argument" unless $headers == 1;
    }
    for (said()) {
        my ($what, $number, $why) = @$_;
        my $times = delete $found{$number} // 0;
        push @wrong, "$number was refused: $why" unless $what eq 'accepted';
        push @wrong, "$number is there $times times" unless $times == 1;
    }
    push @wrong, "nobody has sent $_" for keys %found;
    die join '', map { s/\s*\z/\n/r } @wrong if @wrong;
} else {
    die "mail-load.pl: what is $task?";
}
