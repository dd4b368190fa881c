# Runs on a host, by perl -e, and answers with one JSON object. It knows nothing of ssh or of
# the other hosts. Arguments: what to do (status, install, remove), the folder for the overlays
# ("" means to find it), "dry" to change nothing, "fast" for the overlay that is optional, and
# then the overlays, name and text in turn.
use strict;
use warnings;
use Errno qw(EACCES EPERM);
use Fcntl qw(O_WRONLY O_CREAT O_EXCL);
use IO::Handle;

my ( $verb, $folder, $dry, $fast, @pairs ) = @ARGV;
my %text = @pairs;
my @names = grep { exists $text{$_} } @pairs;    # in the order given
my ( $wrote, $replaced, $removed, $set ) = map { $dry ? "would $_->[0]" : $_->[1] } [ 'write', 'wrote' ], [ 'replace', 'replaced' ],
  [ 'remove', 'removed' ], [ 'set', 'set' ];
my %answer = ( changes => [], notes => [], modules => [] );

# Overlays found by PERL5LIB are of that process alone; none of its folders is a place for ours.
my %lib = map { $_ => 1 } split /:/, $ENV{PERL5LIB} // '';
my @inc = grep { !ref && m{^/} } @INC;

# What the tries run with: a folder that was named must be where perl looks.
my $perl5lib = $ENV{PERL5LIB} // '';
if ( $folder ne '' && !grep { $_ eq $folder } @inc ) {
    $perl5lib = $perl5lib eq '' ? $folder : "$folder:$perl5lib";
    unshift @inc, $folder;
}

sub fail { my ( $kind, $why ) = @_; die { kind => $kind, text => $why } }

# A call of the system that failed just now.
sub failed_to {
    my ($what) = @_;
    fail( 'trouble', "cannot $what: $!" . ( $! == EACCES || $! == EPERM ? '; it takes root, or --sudo' : '' ) );
}

sub slurp {
    my ($file) = @_;
    open my $in, '<', $file or return;
    binmode $in;
    local $/;
    my $all = readline $in;
    return defined $all ? $all : '';
}

# The version of an overlay; undef when the text is not one of ours.
sub version_of { return defined $_[0] && $_[0] =~ /^# mpp-overlay (\d+)\s*\n/ ? $1 : undef }

# What is at the place of an overlay: none, foreign, or ours: current, old, newer, changed.
sub state_of {
    my ( $file, $ours ) = @_;
    return ( 'none', 0 ) unless -e $file || -l $file;
    return ( 'foreign', 0 ) if -l $file || !-f _;
    my $there = slurp($file);
    failed_to("read $file") unless defined $there;
    my $version = version_of($there);
    return ( 'foreign', 0 ) unless defined $version;
    return ( 'current', $version ) if $there eq $ours;
    my $own = version_of($ours);
    return ( $version < $own ? 'old' : $version > $own ? 'newer' : 'changed', $version );
}

# The packaged file of a module: the first that is not ours, behind the place for ours.
sub packaged {
    my ( $name, $place ) = @_;
    my $behind = !defined $place;
    for my $dir (@inc) {
        return "$dir/$name" if $behind && -f "$dir/$name" && !defined version_of( slurp("$dir/$name") );
        $behind ||= $dir eq $place;
    }
    return;
}

# Where overlays belong: the first folder that perl looks in, that is for administrators and not
# for packages, and that comes before MHA's own. On Debian that is /etc/perl.
sub find_folder {
    return $folder if $folder ne '';
    for my $dir (@inc) {
        next if $lib{$dir} || $dir !~ m{^/(?:etc|usr/local)/};
        return $dir if defined packaged( 'MHA/NodeUtil.pm', $dir );
    }
    return;
}

# Runs a piece of perl as MHA's programs would be run, and returns what it said last, a line
# that begins with "mpp ", without that; or why it could not.
sub try_perl {
    my ( $code, @args ) = @_;
    my $pid = open my $out, '-|';
    failed_to("fork") unless defined $pid;
    if ( !$pid ) {
        open STDERR, '>&', \*STDOUT;
        $perl5lib eq '' ? delete $ENV{PERL5LIB} : ( $ENV{PERL5LIB} = $perl5lib );
        alarm 10;
        exec { $^X } $^X, '-e', $code, '--', @args or exit 127;
    }
    my @said = readline $out;
    close $out;
    chomp @said;
    my ($last) = grep { s/^mpp // } reverse @said;
    return ( 1, $last ) if defined $last;
    my ($why) = grep { /\S/ } @said;
    return ( 0, $why // 'perl ended with status ' . ( $? >> 8 ) );
}

my %try = (

    # Each prints "mpp FILE" when all is well, and dies otherwise. The argument is the module's
    # file, or its name to take what perl finds.
    'MHA/NodeUtil.pm' => <<'TRY',
my ($file) = @ARGV; require $file;
my $one = sub { my ( $name, $version, $want ) = @_; no strict 'refs';
  my $got = eval { &{"MHA::NodeUtil::$name"}($version) };
  defined $got or die "$name('$version'): $@";
  $got eq $want or die "$name('$version') gives $got\n" };
$one->( 'parse_mysql_major_version', '8.0.36', '008000' );
$one->( 'parse_mysql_version', '8.0.36', '008000036' );
$one->( 'parse_mysql_major_version', '10.11.19-MariaDB-0+deb12u1-log', '010011' );
$one->( 'parse_mysql_version', '10.11.19-MariaDB-0+deb12u1-log', '010011019' );
my $there = sub { grep { -x "$_/$_[0]" } split /:/, $ENV{PATH} };
for my $both ( [ 'mysql', 'mariadb' ], [ 'mysqlbinlog', 'mariadb-binlog' ] ) {
  my ( $old, $new ) = @$both; next if $there->($old) || !$there->($new);
  MHA::NodeUtil::client_cli_prefix($old) =~ /^$new/ or die "there is no program $old, only $new\n" }
print "mpp $INC{$file}\n";
TRY

    # What the client program says of its version, where there is one.
    'MHA/BinlogManager.pm' => <<'TRY',
my ($file) = @ARGV; require $file;
my @there = grep { my $name = $_; grep { -x "$_/$name" } split /:/, $ENV{PATH} } qw(mysqlbinlog mariadb-binlog);
if (@there) {
  my $m = MHA::BinlogManager->new( mysql_version => '8.0.36' ); $m->{mysqlbinlog} = $there[0];
  eval { $m->init_mysqlbinlog }; $m->{mysqlbinlog_version} or die "init_mysqlbinlog: $@";
}
print "mpp $INC{$file}\n";
TRY

    # A connection to a server that has no such variable and answers as MariaDB does, because
    # there is none to log in to.
    'MHA/SlaveUtil.pm' => <<'TRY',
BEGIN { package DBI; $INC{'DBI.pm'} = 'DBI'; our $AUTOLOAD;
  sub connect { return bless {}, 'DBI' }
  sub DESTROY { }
  sub AUTOLOAD { my ( $self, $sql ) = @_; my ( undef, $file, $line ) = caller;
    $self->{sql} = $sql if defined $sql;
    return $self if $AUTOLOAD =~ /::prepare$/;
    die "Unknown system variable 'super_read_only' at $file line $line.\n" if ( $self->{sql} // '' ) =~ /\@\@\S*super_read_only/i;
    return } }
my ($file) = @ARGV; require $file;
my ($on) = eval { MHA::SlaveUtil::check_if_super_read_only( 'db', '192.0.2.1', 3306, 'mha', '' ) };
die "check_if_super_read_only: $@" if $@;
die "check_if_super_read_only says that it is on\n" if $on;
print "mpp $INC{$file}\n";
TRY

    # What the module itself says, once it has a child, of how often it looks after it.
    'Parallel/ForkManager.pm' => <<'TRY',
require MHA::ManagerConst; my ($file) = @ARGV; require $file;
my $all = Parallel::ForkManager->new(1);
if ( !$all->start ) { $all->finish }
my $every = $all->can('waitpid_blocking_sleep') ? $all->waitpid_blocking_sleep : 0;
die "it looks after MHA's children every $every s only\n" if $every > 0.1;
print "mpp $INC{$file}\n";
TRY
);

# The version of a part of MHA, by its own word, and of the package that it came with.
sub part {
    my ( $module, $package ) = @_;
    ( my $file = "$module.pm" ) =~ s{::}{/}g;
    return { version => '', package => '' } unless grep { -f "$_/$file" } @inc;
    my ( $ok, $said ) = try_perl( "require $module; print qq(mpp \$${module}::VERSION\\n)" );
    my $from = '';
    for my $ask ( [ 'dpkg-query', '-W', '-f', '${Version}', $package ], [ 'rpm', '-q', '--qf', '%{VERSION}-%{RELEASE}', $package ] ) {
        my $pid = open my $out, '-|';
        next unless defined $pid;
        if ( !$pid ) { open STDERR, '>', '/dev/null'; exec { $ask->[0] } @$ask or exit 127 }
        my $line = readline $out;
        $from = $line if close($out) && defined $line && $from eq '';
    }
    return { version => $ok ? $said : 'unknown', package => $from };
}

# How one module is: as packaged, its overlay, and what MHA gets.
sub look {
    my ( $name, $place ) = @_;
    my $packaged = packaged( $name, $place );
    return unless defined $packaged;
    my %m = ( name => $name, packaged => $packaged, fault => '', trouble => '', loaded => '', overlay => 'none', version => \0, file => '' );
    if ( defined $place ) {
        $m{file} = "$place/$name";
        ( $m{overlay}, my $version ) = state_of( $m{file}, $text{$name} );
        $m{version} = \( $version + 0 );
    }
    my ( $ok, $said ) = try_perl( $try{$name}, $packaged );
    $m{fault} = $said unless $ok;
    my ($first) = grep { -f } map { "$_/$name" } @inc;
    ( $ok, $said ) = try_perl( $try{$name}, $name ) if $first ne $packaged;
    $ok ? ( $m{loaded} = $said ) : ( $m{trouble} = $said );
    $m{in_force} = $ok && defined version_of( slurp( $m{loaded} ) ) ? \'true' : \'false';
    return \%m;
}

sub look_at_all {
    my ($place) = @_;
    my @wanted = grep { $_ !~ /^Parallel/ || $answer{manager}{version} ne '' } @names;
    $answer{modules} = [ map { look( $_, $place ) } @wanted ];
}

sub make_folder {
    my ($dir) = @_;
    return if -d $dir;
    ( my $above = $dir ) =~ s{/[^/]+/*$}{};
    make_folder($above) if $above ne '' && $above ne $dir;
    if ( !mkdir $dir, 0755 ) {
        my $why = $! + 0;
        return if -d $dir;
        $! = $why;
        failed_to("make folder $dir");
    }
    chmod 0755, $dir;
}

# Puts a file in its place, whole or not at all. Nothing that is not ours is ever replaced: a
# new one is linked, which fails if somebody was faster.
sub put {
    my ( $file, $text, $replace ) = @_;
    my ( $dir, $base ) = $file =~ m{^(.*)/([^/]+)$};
    make_folder($dir);
    my $new = "$dir/.$base.mpp-$$";
    unlink $new;
    sysopen my $out, $new, O_WRONLY | O_CREAT | O_EXCL, 0600 or failed_to("write $new");
    binmode $out;
    my $ok = print( {$out} $text ) && $out->flush && chmod( 0644, $out ) && $out->sync && close $out;
    $ok &&= $replace ? rename( $new, $file ) : link( $new, $file );
    my $why = $! + 0;
    unlink $new;
    return if $ok || ( slurp($file) // '' ) eq $text;    # perhaps another mpp was faster
    $! = $why;
    failed_to("write $file");
}

# Takes an overlay away, and its folder if nothing else is in it. A lasting folder such as
# /etc/perl itself stays.
sub take_away {
    my ($file) = @_;
    if ( !unlink $file ) {
        my $why = $! + 0;
        return if !-e $file;    # another mpp was faster
        $! = $why;
        failed_to("remove $file");
    }
    ( my $dir = $file ) =~ s{/[^/]+$}{};
    rmdir $dir;
}

# What has to be done about a module: nothing, or [what to say, how to do it, how to undo it].
sub step {
    my ($m) = @_;
    my ( $file, $text, $version ) = ( $m->{file}, $text{ $m->{name} }, version_of( $text{ $m->{name} } ) );
    my $state = $m->{overlay};
    fail( 'refused', "$file is there and is not MPP's: nothing was changed" ) if $state eq 'foreign';
    fail( 'refused', "$file was changed by hand: nothing was changed; mpp mha compat remove takes it away" ) if $state eq 'changed';
    if ( $state eq 'none' ) {
        return [ "$wrote $file, version $version", sub { put( $file, $text, 0 ) }, sub { take_away($file) } ];
    }
    my ( $mode, $old ) = ( ( stat $file )[2] & 07777, slurp($file) );
    if ( $state eq 'old' ) {
        return [ "$replaced $file: version ${ $m->{version} } by $version", sub { put( $file, $text, 1 ) }, sub { put( $file, $old, 1 ) } ];
    }
    return if $mode == 0644;
    my $change = sub { my $to = shift; chmod( $to, $file ) or failed_to("change the mode of $file") };
    return [ sprintf( '%s the mode of %s to 0644, from %04o', $set, $file, $mode ), sub { $change->(0644) }, sub { $change->($mode) } ];
}

sub install {
    my ($place) = @_;
    fail( 'refused', q{MHA's node package is not installed: perl finds no MHA/NodeUtil.pm} ) unless grep { -f "$_/MHA/NodeUtil.pm" } @inc;
    fail( 'refused', 'perl looks in no folder of /etc or /usr/local before that of MHA: name one with --dir, and put it in PERL5LIB' )
      unless defined $place;
    my @wanted = grep { $_->{name} !~ /^Parallel/ || $fast || $_->{overlay} =~ /^(?:old|current)$/ } @{ $answer{modules} };
    push @{ $answer{notes} }, "$_->{file} is of a later mpp: it is left as it is" for grep { $_->{overlay} eq 'newer' } @wanted;
    my @steps = map { step($_) } grep { $_->{overlay} ne 'newer' && ( $_->{fault} ne '' || $_->{overlay} ne 'none' ) } @wanted;
    return $answer{changes} = [ map { $_->[0] } @steps ] if $dry;
    my @undo;
    my $done = eval {
        for my $step (@steps) { $step->[1]->(); unshift @undo, $step->[2]; push @{ $answer{changes} }, $step->[0] }
        look_at_all($place);
        verify( map { $_->{name} } @wanted ) if @steps;
        1;
    };
    return if $done;
    my $why = $@;
    eval { $_->() } for @undo;
    $answer{changes} = [];
    die $why;
}

# After an install MHA must get what it needs; otherwise the install is undone.
sub verify {
    for my $name (@_) {
        my ($m) = grep { $_->{name} eq $name } @{ $answer{modules} };
        next if $m && $m->{trouble} eq '' && ( $m->{fault} eq '' || ${ $m->{in_force} } eq 'true' );
        my $why = !$m ? 'it is gone' : $m->{trouble} ne '' ? $m->{trouble} : "perl takes $m->{loaded} first";
        fail( 'trouble', "with the overlays in place $name still does not work, so they were taken away again: $why" );
    }
}

sub remove {
    my ($place) = @_;
    my %seen;
    for my $dir ( grep { !$seen{$_}++ } defined $place ? $place : (), $folder ne '' ? () : grep { !$lib{$_} } @inc ) {
        for my $name (@names) {
            my $file = "$dir/$name";
            my ($state) = state_of( $file, $text{$name} );
            if ( $state eq 'foreign' ) {
                push @{ $answer{notes} }, "$file is not MPP's: it is left as it is" if defined $place && $dir eq $place;
            }
            elsif ( $state ne 'none' ) {
                take_away($file) unless $dry;
                push @{ $answer{changes} }, "$removed $file";
            }
        }
    }
    look_at_all($place) unless $dry;
}

# A reference to a scalar stands for what is no text: a number, true or false.
sub json {
    my ($v) = @_;
    return ${$v} if ref $v eq 'SCALAR';
    return '[' . join( ',', map { json($_) } @$v ) . ']' if ref $v eq 'ARRAY';
    return '{' . join( ',', map { json($_) . ':' . json( $v->{$_} ) } sort keys %$v ) . '}' if ref $v eq 'HASH';
    $v = '' unless defined $v;
    $v =~ s/([^ !#-\[\]-~])/sprintf '\\u%04x', ord $1/ge;
    return qq("$v");
}

$answer{perl}        = sprintf '%vd', $^V;
$answer{interpreter} = $^X;
my $well = eval {
    fail( 'refused', "$folder is no folder by its full path" ) if $folder ne '' && $folder !~ m{^/[^:]*$};
    $answer{manager} = part( 'MHA::ManagerConst', 'mha4mysql-manager' );
    $answer{node}    = part( 'MHA::NodeConst',    'mha4mysql-node' );
    my $place = find_folder();
    $answer{folder} = $place;
    look_at_all($place);
    $verb eq 'install' ? install($place) : $verb eq 'remove' ? remove($place) : 1;
    1;
};
if ( !$well ) {
    my $why = ref $@ ? $@ : { kind => 'trouble', text => $@ };
    $why->{text} =~ s/\s+$//;
    @answer{qw(error_kind error)} = @$why{qw(kind text)};
}
print json( \%answer ), "\n";
