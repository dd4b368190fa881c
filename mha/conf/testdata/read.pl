# Reads configurations with MHA's own module and prints what each came to, as a line of JSON. The
# arguments are pairs of an application's file and a global one. Each is read by a process of its
# own, as MHA keeps some values for the whole process.
use strict;
use warnings;
use JSON::PP;
use MHA::Config;
use MHA::ManagerConst;

sub plain {
  my $s = shift;
  my %h = map { $_ => "$s->{$_}" } grep { defined $s->{$_} && !ref $s->{$_} } keys %$s;
  return \%h;
}

binmode STDOUT;
$| = 1;
while ( my ( $file, $global ) = splice( @ARGV, 0, 2 ) ) {
  my $pid = fork();
  die "fork: $!" unless defined $pid;
  if ($pid) { waitpid( $pid, 0 ); next; }
  my $out = eval {
    my ( $servers, $binlogs ) =
      MHA::Config->new( file => $file, globalfile => $global )->read_config();
    {
      servers => [ map { plain($_) } @$servers ],
      binlogs => [ map { plain($_) } @$binlogs ],
      options => $MHA::ManagerConst::USE_SSH_OPTIONS ? $MHA::ManagerConst::SSH_OPT_ALIVE : "",
    };
  };
  $out = { refused => "$@" } unless $out;
  print JSON::PP->new->latin1->canonical->encode($out), "\n";
  exit 0;
}
