# mpp-overlay 1
#
# For MHA 0.58, on the manager and on every node; found before the packaged module, which it
# loads and mends. The packaged version parsers give sprintf every number of a version, which
# dies since perl 5.22 (Redundant argument in sprintf): with all versions of three numbers, or
# with those of more, such as 10.11.19-MariaDB-0+deb12u1-log. And it knows client programs by
# MySQL's names only, which MariaDB's do not have since release 11.
#
# "mpp mha compat install" wrote this file, "mpp mha compat remove" takes it away.
package MHA::NodeUtil;
use strict;
use warnings;
use Carp ();

BEGIN {
    my $mpps = sub {
        local $/ = "\n";
        open my $file, '<', $_[0] or return;
        return ( readline($file) // '' ) =~ /^# mpp-overlay /;
    };
    my ($packaged) = grep { -f && !$mpps->($_) }
      map { m{^/} ? "$_/MHA/NodeUtil.pm" : "./$_/MHA/NodeUtil.pm" } grep { !ref } @INC;
    defined $packaged or die "MHA/NodeUtil.pm is nowhere but here: is MHA's node package installed?\n";
    do $packaged      or die $@ || "cannot read $packaged: $!\n";
}

{
    no warnings qw(redefine prototype);

    # The first $count numbers of a version, three digits each; one that is missing is 0. What
    # follows the dotted numbers is the distribution's. A server behind some proxies calls
    # itself 5.5.5-10.11.19-MariaDB, as MariaDB 10 does in its greeting.
    my $parse = sub {
        my ( $version, $count ) = @_;
        $version //= '';
        my ( undef, @number ) = $version =~ /^(5\.5\.5-)?\D*(\d+)(?:\.(\d+))?(?:\.(\d+))?/
          or Carp::croak("no version in '$version'");
        return sprintf '%03d' x $count, map { $_ // 0 } @number[ 0 .. $count - 1 ];
    };

    *parse_mysql_version       = sub($) { $parse->( $_[0], 3 ) };
    *parse_mysql_major_version = sub($) { $parse->( $_[0], 2 ) };

    # The beginning of a command line that runs mysql or mysqlbinlog: by MariaDB's name where only
    # that is there. MHA gives mysql the argument --binary-mode, without which a recovery fails at
    # the first zero byte in a statement, when it knows from what that says that it is new enough.
    # What MariaDB 11 and MySQL 8 say it does not understand; so it is given here.
    my %mariadbs = ( mysql => 'mariadb', mysqlbinlog => 'mariadb-binlog' );
    my $packaged = \&client_cli_prefix;
    *client_cli_prefix = sub {
        my ( $program, $folder ) = @_;
        my $line = $packaged->(@_);
        my $name = $mariadbs{$program};
        my @path = ( ref $folder eq 'ARRAY' ? @$folder : (), split /:/, $ENV{PATH} );
        @path = ($folder) if $folder && !ref $folder;
        if ( !( grep { -x "$_/$program" } @path ) && grep { -x "$_/$name" } @path ) {
            $line =~ s/\Q$program\E('?)$/$name$1/;
        }
        return $line if $program ne 'mysql';
        my $new = qr/\bfrom \S+-MariaDB, client|\bVer (?:[89]|\d\d)\.\d+\.\d+\S* for /;
        return `$line --version 2>/dev/null` =~ $new ? "$line --binary-mode" : $line;
    };
}

1;
