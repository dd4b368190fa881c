# mpp-overlay 1
#
# For MHA 0.58, on every node and, for what the manager itself applies, on the manager; found
# before the packaged module, which it loads and mends. The packaged check selects the variable
# super_read_only, which dies on every server that does not know it: MariaDB, and MySQL before
# 5.7.
#
# "mpp mha compat install" wrote this file, "mpp mha compat remove" takes it away.
package MHA::SlaveUtil;
use strict;
use warnings;

BEGIN {
    my $mpps = sub {
        local $/ = "\n";
        open my $file, '<', $_[0] or return;
        return ( readline($file) // '' ) =~ /^# mpp-overlay /;
    };
    my ($packaged) = grep { -f && !$mpps->($_) }
      map { m{^/} ? "$_/MHA/SlaveUtil.pm" : "./$_/MHA/SlaveUtil.pm" } grep { !ref } @INC;
    defined $packaged or die "MHA/SlaveUtil.pm is nowhere but here: is MHA's node package installed?\n";
    do $packaged      or die $@ || "cannot read $packaged: $!\n";
}

{
    no warnings 'redefine';

    # Whether super_read_only is on, and, if it is, the connection by which the caller switches
    # it off and on again. SHOW VARIABLES answers with no row where there is no such variable.
    *check_if_super_read_only = sub {
        my ( $host, $ip, $port, $user, $password ) = @_;
        my $address = $ip =~ /:/ ? "[$ip]" : $ip;
        my $dbh     = DBI->connect( "DBI:mysql:;host=$address;port=$port", $user,
            MHA::NodeUtil::unescape_for_shell($password), { PrintError => 0, RaiseError => 1 } );
        my $row = $dbh->selectrow_arrayref("SHOW GLOBAL VARIABLES LIKE 'super_read_only'");
        return ( 1, $dbh ) if $row && $row->[1] =~ /^(?:ON|1)$/i;
        $dbh->disconnect;
        return ( 0, 0 );
    };
}

1;
