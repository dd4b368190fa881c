# mpp-overlay 1
#
# For MHA's manager; found before the packaged module, which it loads and mends. Since release
# 1.20 that looks after its children once a second, so that each of MHA's parallel steps takes
# whole seconds. MHA's programs look every 20 ms with this; others see no difference.
#
# "mpp mha compat install --fast" wrote this file, "mpp mha compat remove" takes it away.
package Parallel::ForkManager;
use strict;
use warnings;

BEGIN {
    my $mpps = sub {
        local $/ = "\n";
        open my $file, '<', $_[0] or return;
        return ( readline($file) // '' ) =~ /^# mpp-overlay /;
    };
    my ($packaged) = grep { -f && !$mpps->($_) }
      map { m{^/} ? "$_/Parallel/ForkManager.pm" : "./$_/Parallel/ForkManager.pm" } grep { !ref } @INC;
    defined $packaged or die "Parallel/ForkManager.pm is nowhere but here: is it installed?\n";
    do $packaged      or die $@ || "cannot read $packaged: $!\n";
}

{
    no warnings 'redefine';

    # Before the first child, not in new: that is made when it is first called, and replaces
    # itself. 0, to block in waitpid, would take children that are not this module's.
    my $start = \&start;
    *start = sub {
        $_[0]->set_waitpid_blocking_sleep(0.02)
          if $INC{'MHA/ManagerConst.pm'} && $_[0]->can('set_waitpid_blocking_sleep');
        goto &$start;
    };
}

1;
