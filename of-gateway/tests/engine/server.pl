# A function for tests: a plain HTTP server without OpenFaaS' health paths, one process per connection.
use strict;
use warnings;
use IO::Socket::INET;

$| = 1;
$SIG{CHLD} = 'IGNORE';
$SIG{TERM} = sub { exit 0 };
my $mode = $ENV{MODE} // 'ok';
print "starting in mode $mode\n";
if ($mode eq 'exit') {
    print "line $_\n" for 1 .. 30;
    print STDERR "fatal: no database\n";
    exit 3;
}
if (-e '/var/tmp/doomed') {
    print STDERR "fatal: doomed\n";
    exit 9;
}
if ($mode eq 'deaf') { sleep 1 while 1 }
$SIG{USR1} = sub { my @eaten; push @eaten, 'x' x 1_000_000 while 1 };
kill 'USR1', $$ if $mode eq 'hungry';
my $server = IO::Socket::INET->new(LocalPort => 8080, Listen => 128, ReuseAddr => 1) or die "no port: $!";
my @mute;
while (1) {
    my $client = $server->accept or next;
    if ($mode eq 'mail') { print $client "220 mail.example.com\r\n"; close $client; next }
    if ($mode eq 'mute') { push @mute, $client; next }
    if ($mode eq 'single') { serve($client); close $client; next }
    my $child = fork;
    # Without a child, as at the limit of its processes, it answers itself and lives on.
    if (!defined $child) { serve($client); close $client; next }
    if ($child) { close $client; next }
    serve($client);
    exit 0;
}

sub slurp {
    my ($path) = @_;
    open my $file, '<', $path or return "no $path: $!";
    local $/;
    return <$file>;
}

sub answer {
    my ($client, $status, $text) = @_;
    print $client "HTTP/1.1 $status X\r\nContent-Type: text/plain\r\nContent-Length: ", length $text, "\r\nConnection: close\r\n\r\n$text";
}

# Events without end, until the client leaves; that it did is kept in a file.
sub events {
    my ($client) = @_;
    $SIG{PIPE} = 'IGNORE';
    print $client "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    for my $n (1 .. 1000) {
        my $event = "data: $n\n\n";
        my $sent = printf $client "%x\r\n%s\r\n", length $event, $event;
        last unless $sent && $client->flush;
        select undef, undef, undef, 0.05;
    }
    open my $file, '>', '/tmp/gone';
}

sub call {
    my ($method, $peer, $path) = @_;
    my $server = IO::Socket::INET->new(PeerAddr => $peer, Timeout => 2) or return 'not reached';
    my $callback = $ENV{CALLBACK} ? "X-Callback-Url: $ENV{CALLBACK}\r\n" : '';
    print $server "$method $path HTTP/1.1\r\nHost: $peer\r\n${callback}Connection: close\r\nContent-Length: 0\r\n\r\n";
    local $/;
    my ($head, $body) = split /\r\n\r\n/, <$server> // '', 2;
    return join ' ', ($head // '') =~ m{^HTTP/1.1 (\d+)}, $body // '';
}

sub serve {
    my ($client) = @_;
    my ($method, $path) = split ' ', <$client> // return;
    my $length = 0;
    while (defined(my $line = <$client>)) {
        last if $line eq "\r\n";
        $length = $1 if $line =~ /^content-length:\s*(\d+)/i;
    }
    read $client, my $body, $length if $length;
    if ($path eq '/_/ready') {
        my $wait = -e '/tmp/until' ? slurp('/tmp/until') - time : 0;
        return answer($client, $mode eq 'unready' || $wait > 0 ? 503 : 404, '');
    }
    if ($path =~ m{^/unready/(\d+)}) {
        open my $file, '>', '/tmp/until' or return answer($client, 403, "$!");
        print $file time + $1;
        return answer($client, 200, 'unready');
    }
    if ($path =~ m{^/nap/(\d+)}) { sleep $1; return answer($client, 200, 'awake') }
    if ($path eq '/hang') { answer($client, 200, 'hanging'); close $client; kill 'STOP', getppid }
    if ($path eq '/starve') { answer($client, 200, 'starving'); close $client; kill 'USR1', getppid }
    if ($path eq '/doom') {
        open my $file, '>', '/var/tmp/doomed' or return answer($client, 403, "$!");
        answer($client, 200, 'doomed');
        close $client;
        kill 'KILL', getppid;
    }
    if ($path =~ m{^/_/}) { return answer($client, 404, '') }
    if ($path eq '/version') { return answer($client, 200, $ENV{VERSION} // slurp('/version')) }
    if ($path eq '/slow') { sleep 2; return answer($client, 200, $ENV{VERSION} // '') }
    if ($path =~ m{^/secret/(.*)}) { return answer($client, 200, slurp("/var/openfaas/secrets/$1")) }
    if ($path =~ m{^/env/(.*)}) { return answer($client, 200, $ENV{$1} // '') }
    if ($path =~ m{^/reach/(.*)}) {
        my $peer = IO::Socket::INET->new(PeerAddr => $1, Timeout => 2);
        return answer($client, 200, $peer ? 'reached' : 'not reached');
    }
    if ($path =~ m{^/call/(\w+)/([^/]+)(/.*)}) { return answer($client, 200, call($1, $2, $3)) }
    if ($path =~ m{^/later/(\d+)/(\w+)/([^/]+)(/.*)}) { sleep $1; return answer($client, 200, call($2, $3, $4)) }
    if ($path =~ m{^/fstype(/.*)}) { return answer($client, 200, qx(stat -f -c %T $1)) }
    if ($path =~ m{^/exists(/.*)}) { return answer($client, 200, -e $1 ? 'yes' : 'no') }
    if ($path eq '/status') { return answer($client, 200, slurp('/proc/self/status')) }
    if ($path =~ m{^/write(/.*)}) {
        open my $file, '>', $1 or return answer($client, 403, "$!");
        return answer($client, 200, 'written');
    }
    if ($path =~ m{^/print/(.*)}) { print pack 'H*', $1; return answer($client, 200, 'printed') }
    if ($path =~ m{^/long/(\d+)}) { print 'x' x $1, "\n"; return answer($client, 200, 'printed') }
    if ($path =~ m{^/log/(.*)}) { print "$1\n"; return answer($client, 200, 'logged') }
    if ($path eq '/crash') { answer($client, 200, 'crashing'); close $client; kill 'KILL', getppid }
    if ($path eq '/events') { return events($client) }
    if ($path eq '/upgrade') {
        print $client "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
        $client->flush;
        while (defined(my $line = <$client>)) { print $client "echo $line"; $client->flush }
        return;
    }
    if ($path eq '/gone') { return answer($client, 200, -e '/tmp/gone' ? 'gone' : 'there') }
    if ($path eq '/fail') { return answer($client, 500, 'failed') }
    return answer($client, 200, $body // '');
}
