// SPDX-License-Identifier: GPL-2.0-only
/* Sets of pin methods. */
#include <string.h>

#include "lib/pin/select.h"

bool pin_selected(const struct pin_select *s, const struct pin_method *m)
{
	for (; s; s = s->also)
		if ((m->flags & s->all) == s->all && !(m->flags & s->none) &&
		    (!s->only || !strcmp(s->only, m->name)))
			return true;
	return false;
}
