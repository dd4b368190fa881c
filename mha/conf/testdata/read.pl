# Reads a configuration with MHA's own module and prints what it came to, as JSON.
use strict;
use warnings;
use JSON::PP;
use MHA::Config;
use MHA::ManagerConst;

my ( $file, $global ) = @ARGV;
my $out = eval {
  my ( $servers, $binlogs ) =
    MHA::Config->new( file => $file, globalfile => $global )->read_config();
  my $plain = sub {
    my $s = shift;
    my %h = map { $_ => "$s->{$_}" } grep { defined $s->{$_} && !ref $s->{$_} } keys %$s;
    return \%h;
  };
  {
    servers => [ map { $plain->($_) } @$servers ],
    binlogs => [ map { $plain->($_) } @$binlogs ],
    options => $MHA::ManagerConst::USE_SSH_OPTIONS ? $MHA::ManagerConst::SSH_OPT_ALIVE : "",
  };
};
$out = { refused => "$@" } unless $out;
binmode STDOUT;
print JSON::PP->new->latin1->canonical->encode($out);
