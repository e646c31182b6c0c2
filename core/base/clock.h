#ifndef CLOCK_H_
#define CLOCK_H_

#include <stdint.h>

/* Milliseconds on a clock that never jumps, from some moment on: for how long something takes, and never for when it was. */
int64_t clock_ms(void);

#endif
