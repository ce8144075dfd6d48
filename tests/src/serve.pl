# A function for tests: answers with the file `answer`; /headers, /env, /files and /secret/NAME show what they say, /fail fails.
use strict;
use warnings;
use IO::Socket::INET;

$| = 1;
$SIG{TERM} = sub { exit 0 };
$SIG{CHLD} = 'IGNORE';
my $listener = IO::Socket::INET->new(LocalPort => 8080, Listen => 64, ReuseAddr => 1) or die "cannot listen: $@\n";
print "serving\n";

sub content { my ($path) = @_; open my $file, '<', $path or return ''; local $/; return scalar <$file> // '' }

sub files {
    my ($folder) = @_;
    opendir my $listing, $folder or return ();
    my @names = grep { !/^\.\.?$/ } readdir $listing;
    return map { my $path = "$folder/$_"; ($path, -d $path && !-l $path ? files($path) : ()) } @names;
}

sub answer {
    my ($client) = @_;
    my $request = <$client> // return;
    my ($headers, $length) = ('', 0);
    while (defined(my $line = <$client>)) {
        last if $line =~ /^\r?\n$/;
        $headers .= $line;
        $length = $1 if $line =~ /^content-length:\s*(\d+)/i;
    }
    read $client, my $body, $length if $length;
    my ($path) = $request =~ /^\S+ ([^ ?]*)/;
    my $text = $path eq '/headers' ? $headers
        : $path eq '/env' ? join('', map { "$_=$ENV{$_}\n" } sort keys %ENV)
        : $path eq '/files' ? join('', map { "$_\n" } sort(files('/srv')))
        : $path =~ m{^/secret/([\w.-]+)$} ? content("/var/openfaas/secrets/$1")
        : $path eq '/echo' ? ($body // '')
        : $path =~ m{^/_/} ? 'OK' : content('/srv/answer');
    print "asked for $path\n" unless $path =~ m{^/_/};
    my $status = $path eq '/fail' ? '500 Internal Server Error' : '200 OK';
    printf $client "HTTP/1.1 $status\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", length $text, $text;
}

while (1) {
    my $client = $listener->accept or next;
    if (fork) { close $client; next }
    $SIG{TERM} = 'DEFAULT';
    alarm 20;
    answer($client);
    exit 0;
}
