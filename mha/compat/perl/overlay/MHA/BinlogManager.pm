# mpp-overlay 1
#
# For MHA 0.58, on every node with the client programs of MariaDB 11 or later; found before the
# packaged module, which it loads and mends. That looks for "Ver 3.5" in what mysqlbinlog says of
# its version, and MariaDB's says "from 11.8.6-MariaDB, client 3.5" since release 11.
#
# "mpp mha compat install" wrote this file, "mpp mha compat remove" takes it away.
package MHA::BinlogManager;
use strict;
use warnings;

BEGIN {
    my $mpps = sub {
        local $/ = "\n";
        open my $file, '<', $_[0] or return;
        return ( readline($file) // '' ) =~ /^# mpp-overlay /;
    };
    my ($packaged) = grep { -f && !$mpps->($_) }
      map { m{^/} ? "$_/MHA/BinlogManager.pm" : "./$_/MHA/BinlogManager.pm" } grep { !ref } @INC;
    defined $packaged or die "MHA/BinlogManager.pm is nowhere but here: is MHA's node package installed?\n";
    do $packaged      or die $@ || "cannot read $packaged: $!\n";
}

{
    no warnings qw(redefine prototype);

    # Finds out the version of mysqlbinlog. All versions that speak of a client are new enough for
    # what the packaged function goes on to check.
    my $packaged = \&init_mysqlbinlog;
    *init_mysqlbinlog = sub($) {
        my ($self) = @_;
        my $said = `$self->{mysqlbinlog} --version 2>/dev/null`;
        return $packaged->($self) unless $self->{mysql_version} && $said =~ /\bfrom \S+-MariaDB, client (\d+\.\d+)/;
        $self->{mysqlbinlog_version} = $1;
        return;
    };
}

1;
