# Adds a disclaimer to mail: disclaimer.pl SOCKET TRACE INTERPRETERS REQUESTS
#
# Runs on the pool of interpreters that Sendmail::Milter keeps, each callback on any of them. What a
# session remembers is one string, as in the package's example: other data does not pass from one
# interpreter to another. Interpreters that are replaced take even that with them, so that with
# REQUESTS nothing is remembered.
use strict;
use warnings;
use threads;
use Sendmail::Milter;
use Socket;

my ($socket, $trace, $interpreters, $requests) = @ARGV;

# Whole lines at a time, from whatever interpreter.
sub note {
	open my $file, '>>', $trace or die "$trace: $!";
	syswrite $file, join(' ', map { s/\s+/ /gr } @_) . "\n";
}

# Name of the session, count of its messages, text of the message.
sub load {
	my ($ctx) = @_;
	my $kept = $requests ? undef : $ctx->getpriv();
	return defined $kept ? split(/\0/, $$kept, -1) : ('?', 0, '');
}

sub save {
	my ($ctx, @own) = @_;
	my $kept = join "\0", @own;
	$ctx->setpriv(\$kept) unless $requests;
	return SMFIS_CONTINUE;
}

my %callbacks = (
	connect => sub {
		my ($ctx, $host, $address) = @_;
		my $ip = defined $address ? inet_ntoa((sockaddr_in($address))[1]) : 'unknown';
		return save($ctx, "$host-$ip", 0, '');
	},
	helo => sub {
		my ($ctx, $name) = @_;
		my @own = load($ctx);
		note($name, 'after', $own[0]) if $name =~ /session/;
		return save($ctx, $name, @own[1, 2]);
	},
	envfrom => sub {
		my ($ctx, $sender, @parameters) = @_;
		my @own = load($ctx);
		note($own[0], 'mail', $sender, @parameters, $ctx->getsymval('{mail_addr}') // '-');
		if ($sender =~ /spammer/) {
			$ctx->setreply('554', '5.7.1', 'We know you');
			save($ctx, @own);
			return SMFIS_REJECT;
		}
		return save($ctx, $own[0], $own[1] + 1, '');
	},
	envrcpt => sub {
		my ($ctx, $recipient) = @_;
		my @own = load($ctx);
		note($own[0], 'recipient', $recipient);
		return save($ctx, @own);
	},
	header => sub {
		my ($ctx, $name, $value) = @_;
		my @own = load($ctx);
		note($own[0], 'header', $name, $value) unless $name =~ /^(Received|Message-Id|Date)$/i;
		return save($ctx, @own);
	},
	eoh => sub {
		my ($ctx) = @_;
		return save($ctx, load($ctx));
	},
	body => sub {
		my ($ctx, $part, $size) = @_;
		my @own = load($ctx);
		return save($ctx, @own[0, 1], $own[2] . $part);
	},
	eom => sub {
		my ($ctx) = @_;
		my @own = load($ctx);
		my $ok = 1;
		$ok &&= $ctx->replacebody("$own[2]-- \r\nThis mail is confidential.\r\n") unless $requests;
		$ok &&= $ctx->addheader('X-Disclaimer', "message $own[1] of $own[0]");
		$ok &&= $ctx->chgheader('Subject', 1, '[disclaimed]');
		$ok &&= $ctx->addrcpt('<archive@b.example>');
		$ok &&= $ctx->delrcpt('<gone@b.example>');
		note($own[0], 'end', length $own[2], $ok ? 'changed' : 'failed');
		save($ctx, @own);
		return $ok ? SMFIS_CONTINUE : SMFIS_TEMPFAIL;
	},
	abort => sub {
		my ($ctx) = @_;
		my @own = load($ctx);
		note($own[0], 'abort');
		return save($ctx, @own);
	},
	close => sub {
		my ($ctx) = @_;
		my @own = load($ctx);
		note($own[0], 'close') if $own[1];
		$ctx->setpriv(undef) unless $requests;
		return SMFIS_CONTINUE;
	},
);

Sendmail::Milter::setconn($socket) or die "setconn";
Sendmail::Milter::settimeout(600) or die "settimeout";
Sendmail::Milter::setdbg(0) or die "setdbg";
Sendmail::Milter::register('disclaimer', \%callbacks, SMFI_CURR_ACTS) or die "register";
note('~', 'main', Sendmail::Milter::main($interpreters, $requests) ? 'done' : 'failed');
