#ifndef DICE_H_
#define DICE_H_

#include <stdint.h>

/* The next number of the simulations' dice, whose whole state is *dice: the same from the same seed, everywhere (splitmix64). */
static inline uint64_t
dice_roll(uint64_t *dice)
{
	uint64_t z = *dice += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31);
}

/* 0 to n - 1. */
static inline unsigned
dice_below(uint64_t *dice, unsigned n)
{
	return ((unsigned)(dice_roll(dice) >> 33) % n);
}

#endif
