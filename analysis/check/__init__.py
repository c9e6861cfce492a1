"""The user's two objects, as they are: is the one a right port of the other?"""
