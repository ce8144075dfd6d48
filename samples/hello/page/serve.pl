# Serves one page: a few processes that take turns in answering, and a parent that ends them when asked to.
use strict;
use warnings;
use IO::Socket::INET;

my $WORKERS = 4;
my $PATIENCE = 10;          # seconds for one request
my $LONGEST_LINE = 65_536;

sub page {
    open my $file, '<:raw', '/srv/index.html' or die "index.html: $!\n";
    local $/;
    return scalar <$file>;
}

my $page = page();
my $listener = IO::Socket::INET->new(LocalPort => $ENV{port} || 8080, Listen => 128, ReuseAddr => 1)
    or die "cannot listen: $@\n";

sub answer {
    my ($client) = @_;
    my $request = <$client> // return;
    return if length $request > $LONGEST_LINE;
    while (defined(my $line = <$client>)) { last if $line =~ /^\r?\n$/ }
    my ($method, $path) = $request =~ m{^([A-Z]+) ([^ ?]*)} or return;

    my ($status, $kind, $body) = ('200 OK', 'text/html; charset=utf-8', $page);
    if ($path =~ m{^/_/(health|ready)$}) { ($kind, $body) = ('text/plain', "OK\n") }
    elsif ($method !~ /^(GET|HEAD)$/) { ($status, $kind, $body) = ('405 Method Not Allowed', 'text/plain', "This is a page: GET it.\n") }

    my $length = length $body;
    print $client "HTTP/1.1 $status\r\nContent-Type: $kind\r\nContent-Length: $length\r\nConnection: close\r\n\r\n",
        $method eq 'HEAD' ? '' : $body;
    $client->flush;
    # What was sent and not read would make the connection end in an error: let the other side finish.
    shutdown $client, 1;
    1 while read $client, my $rest, 65_536;
}

sub work {
    $SIG{$_} = 'DEFAULT' for qw(TERM INT);
    $SIG{PIPE} = 'IGNORE';
    while (1) {
        my $client = $listener->accept or next;
        eval {
            local $SIG{ALRM} = sub { die "too slow\n" };
            alarm $PATIENCE;
            answer($client);
            alarm 0;
        };
        alarm 0;
        close $client;
    }
}

my %workers;
my $stopping = 0;
$SIG{TERM} = $SIG{INT} = sub { $stopping = 1; kill TERM => keys %workers };
for (1 .. $WORKERS) {
    my $pid = fork // die "fork: $!\n";
    work() unless $pid;
    $workers{$pid} = 1;
}
my $gone = wait;
print STDERR "a worker ended by itself\n" unless $stopping;
kill TERM => keys %workers;
exit($stopping ? 0 : 1);
